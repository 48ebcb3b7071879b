import { expect, it } from '@jest/globals'
import { isLoopback, proxyFor } from '../../../src/registry/proxy.ts'

const PROXY = 'http://proxy.example:3128'

it.each<[string, string, Record<string, string>, string | undefined]>([
  ['no variable', 'https://r.io/', {}, undefined],
  ['HTTPS_PROXY', 'https://r.io/', { HTTPS_PROXY: PROXY }, PROXY],
  ['in lower case', 'https://r.io/', { https_proxy: PROXY }, PROXY],
  ['HTTP_PROXY is for http alone', 'https://r.io/', { HTTP_PROXY: PROXY }, undefined],
  ['HTTP_PROXY', 'http://r.io/', { HTTP_PROXY: PROXY }, PROXY],
  ['without a scheme', 'https://r.io/', { HTTPS_PROXY: 'proxy.example:3128' }, PROXY],
  ['not a URL', 'https://r.io/', { HTTPS_PROXY: 'http://a b' }, undefined],
  ['NO_PROXY *', 'https://r.io/', { HTTPS_PROXY: PROXY, NO_PROXY: '*' }, undefined],
  ['NO_PROXY with the host', 'https://r.io/', { HTTPS_PROXY: PROXY, NO_PROXY: 'a.io, r.io' }, undefined],
  ['NO_PROXY with its domain', 'https://ghcr.r.io/', { HTTPS_PROXY: PROXY, NO_PROXY: 'r.io' }, undefined],
  ['NO_PROXY with a dot is for hosts below it', 'https://r.io/', { HTTPS_PROXY: PROXY, NO_PROXY: '.r.io' }, PROXY],
  ['NO_PROXY with a dot', 'https://a.r.io/', { HTTPS_PROXY: PROXY, NO_PROXY: '.r.io' }, undefined],
  ['NO_PROXY with *.', 'https://a.r.io/', { HTTPS_PROXY: PROXY, NO_PROXY: '*.r.io' }, undefined],
  ['NO_PROXY with an end of the name', 'https://xr.io/', { HTTPS_PROXY: PROXY, NO_PROXY: 'r.io' }, PROXY],
  ['NO_PROXY with the port', 'https://r.io:8443/', { HTTPS_PROXY: PROXY, NO_PROXY: 'r.io:8443' }, undefined],
  ['NO_PROXY with another port', 'https://r.io/', { HTTPS_PROXY: PROXY, NO_PROXY: 'r.io:8443' }, PROXY],
  ['NO_PROXY with a range', 'https://10.1.2.3/', { HTTPS_PROXY: PROXY, NO_PROXY: '10.0.0.0/8' }, undefined],
  ['NO_PROXY with another range', 'https://11.1.2.3/', { HTTPS_PROXY: PROXY, NO_PROXY: '10.0.0.0/8' }, PROXY],
  ['NO_PROXY with an address', 'https://[fd00::1]/', { HTTPS_PROXY: PROXY, NO_PROXY: 'fd00::1' }, undefined],
  ['a loopback address', 'http://127.0.0.2:5000/', { HTTP_PROXY: PROXY }, undefined],
  ['localhost', 'http://localhost:5000/', { HTTP_PROXY: PROXY }, undefined]
])('proxyFor: %s', (_, url, env, expected) => {
  expect(proxyFor(new URL(url), env)).toBe(expected)
})

it.each([
  ['localhost', true],
  ['127.1.2.3', true],
  ['::1', true],
  ['128.0.0.1', false],
  ['localhost.example', false]
])('isLoopback %s: %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected)
})
