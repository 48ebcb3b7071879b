import { BlockList, isIP } from 'node:net'

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string>>

/**
 * Returns the proxy for a URL from HTTPS_PROXY, HTTP_PROXY and NO_PROXY, as docker does (golang.org/x/net http/httpproxy):
 * NO_PROXY lists `*`, domains, addresses and address ranges, with optional ports; loopback addresses never use a proxy.
 *
 * @returns undefined for a direct connection, also if the URL of the proxy is not valid
 */
export function proxyFor(url: URL, env: Environment): string | undefined {
  const read = (name: string): string => env[name] || env[name.toLowerCase()] || ''
  const proxy = read(url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY')
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  if (proxy === '' || isLoopback(host)) return undefined
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  const excluded = read('NO_PROXY')
    .split(',')
    .map((item) => item.trim().toLowerCase())
    .filter((item) => item !== '')
  if (excluded.some((item) => matches(item, host, port))) return undefined
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`
  return URL.canParse(full) ? full : undefined
}

/** Returns whether a host, without port and brackets, is this machine. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || (isIP(host) !== 0 && isInRange(host, isIP(host) === 6 ? '::1/128' : '127.0.0.0/8'))
}

function matches(item: string, host: string, port: string): boolean {
  if (item === '*') return true
  if (item.includes('/')) return isInRange(host, item)
  const [, name = item, ownPort] = /^(\[[0-9a-f:]+\]|[^:]+):(\d+)$/.exec(item) ?? []
  if (ownPort !== undefined && ownPort !== port) return false
  const plain = name.replace(/^\[(.*)\]$/, '$1').replace(/^\*(?=\.)/, '')
  if (isIP(plain) !== 0) return plain === host
  return plain.startsWith('.') ? host.endsWith(plain) : host === plain || host.endsWith(`.${plain}`)
}

/** Returns whether an address is in a range in CIDR notation; false for a name. */
export function isInRange(host: string, range: string): boolean {
  const [address = '', bits = ''] = range.split('/')
  const family = isIP(host)
  if (family === 0 || isIP(address) !== family || !/^\d{1,3}$/.test(bits)) return false
  if (Number(bits) > (family === 4 ? 32 : 128)) return false
  const list = new BlockList()
  const type = family === 4 ? 'ipv4' : 'ipv6'
  list.addSubnet(address, Number(bits), type)
  return list.check(host, type)
}
