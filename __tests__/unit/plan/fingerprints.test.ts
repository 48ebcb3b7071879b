import { describe, expect, it } from '@jest/globals'
import { readInputs } from '../../../src/action/inputs.ts'
import { publicInputs } from '../../../src/action/secrets.ts'
import { type Fingerprints, takeFingerprints } from '../../../src/plan/fingerprints.ts'

function take(values: Record<string, string> = {}, env: Record<string, string> = {}, text = 'FROM a'): Fingerprints {
  const inputs = readInputs((name) => ({ image: 'octo/app', tests: 'a\nb', ...values })[name] ?? '')
  return takeFingerprints(publicInputs(inputs), text, 'docs', env)
}

describe('takeFingerprints', () => {
  const usual = take()

  it.each<[string, Record<string, string>]>([
    ['another command', { tests: 'a\nc' }],
    ['another order', { tests: 'b\na' }],
    ['an option', { 'test-options': '--env A=1' }],
    ['a platform', { platform: 'linux/arm64' }]
  ])('of the tests differs with %s', (_, values) => {
    expect(take(values).tests).toMatch(/^[0-9a-f]{64}$/)
    expect(take(values).tests).not.toBe(usual.tests)
  })

  it.each([
    '--env A=1',
    '--env=A=1',
    '-e A=1',
    '--user node',
    '--workdir /app',
    '--memory 1g',
    '--read-only',
    '--tmpfs /tmp'
  ])('of the tests is taken with %s', (options) => {
    expect(take({ 'test-options': options }).tests).toMatch(/^[0-9a-f]{64}$/)
  })

  it.each([
    '--env A',
    '--env=A',
    '-e A',
    '-eA',
    '--env-file a',
    '--volume /a:/a',
    '-v /a:/a',
    '-v=/a:/a',
    '--mount type=bind,src=/a,dst=/a',
    '--network host',
    '--add-host a:1.2.3.4',
    '--device /dev/kvm',
    '--privileged',
    '--volumes-from a',
    '--gpus all',
    '--pid host'
  ])('of the tests is not taken with %s: they may see more than the image', (options) => {
    expect(take({ 'test-options': options }).tests).toBeUndefined()
  })

  it('of no tests is none', () => {
    expect(take({ tests: '' }).tests).toBeUndefined()
  })

  it.each<[string, Fingerprints]>([
    ['the Dockerfile', take({}, {}, 'FROM b')],
    ['a build argument', take({ 'build-args': 'A=1' })],
    ['the value of a build argument', take({ 'build-args': 'A' }, { A: '1' })],
    ['the target', take({ target: 'a' })],
    ['a label', take({ labels: 'team=a' })],
    ['a secret', take({ secrets: 'a=b' })],
    ['a network', take({ network: 'none' })],
    ['the cache stages', take({ 'cache-stages': 'none' })]
  ])('of the inputs differs with %s', (_, { inputs }) => {
    expect(inputs).not.toBe(usual.inputs)
  })

  it('tells no values apart that a build argument has in the environment from one in the input', () => {
    expect(take({ 'build-args': 'A' }, { A: '1' })).toEqual(take({ 'build-args': 'A' }, { A: '1', B: '2' }))
    expect(take({ 'build-args': 'A' }, { A: '1' })).not.toEqual(take({ 'build-args': 'A' }, { A: '2' }))
  })

  it.each<[string, Record<string, string>]>([
    [
      'what labels say of the commit',
      { labels: 'org.opencontainers.image.revision=a\norg.opencontainers.image.created=b' }
    ],
    ['the value of a secret', { secrets: 'a=c' }],
    ['tags', { tags: 'v1' }]
  ])('of the inputs does not differ with %s', (_, values) => {
    const before = values.secrets === undefined ? usual : take({ secrets: 'a=b' })
    expect(take(values)).toEqual(before)
  })
})
