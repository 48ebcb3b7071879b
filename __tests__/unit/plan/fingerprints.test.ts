import { describe, expect, it } from '@jest/globals'
import { readInputs } from '../../../src/action/inputs.ts'
import { publicInputs } from '../../../src/action/secrets.ts'
import { type Fingerprints, takeFingerprints } from '../../../src/plan/fingerprints.ts'
import { makeInputs } from '../../support/make-plan.ts'

function take(values: Record<string, string> = {}, platform: string | undefined = 'linux/amd64'): Fingerprints {
  const inputs = readInputs((name) => ({ image: 'octo/app', tests: 'a\nb', ...values })[name] ?? '')
  return takeFingerprints(publicInputs(inputs), platform)
}

describe('takeFingerprints', () => {
  const usual = take()

  it.each<[string, Record<string, string>]>([
    ['another command', { tests: 'a\nc' }],
    ['another order', { tests: 'b\na' }],
    ['an option', { 'test-options': '--env A=1' }],
    ['no command', { tests: '' }],
    ['a platform', { platform: 'linux/arm64' }]
  ])('of the tests differs with %s', (_, values) => {
    expect(take(values).tests).toMatch(/^[0-9a-f]{64}$/)
    expect(take(values).tests).not.toBe(usual.tests)
  })

  it('of the tests differs on another machine', () => {
    expect(take({}, 'linux/arm64').tests).not.toBe(usual.tests)
    expect(take({ platform: 'linux/amd64' }, 'linux/arm64').tests).not.toBe(take({ platform: 'linux/amd64' }).tests)
  })

  it('of the tests is not taken on a machine of an unknown architecture', () => {
    expect(takeFingerprints({ ...publicInputs(makeInputs()), platform: undefined }, undefined).tests).toBeUndefined()
  })

  it.each([
    '--security-opt no-new-privileges',
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
    '--security-opt seccomp=profile.json',
    '--security-opt=apparmor=mine',
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

  it.each<[string, Fingerprints]>([
    ['a label', take({ labels: 'team=a' })],
    ['a secret', take({ secrets: 'a=b' })],
    ['a secret in a file', take({ 'secret-files': 'a=b' })],
    ['an annotation', take({ annotations: 'team=a' })],
    ['a provenance attestation', take({ provenance: 'true' })],
    ['an SBOM', take({ sbom: 'true' })]
  ])('of the inputs differs with %s', (_, { inputs }) => {
    expect(inputs).not.toBe(usual.inputs)
  })

  it.each<[string, Record<string, string>]>([
    [
      'what labels say of the commit',
      { labels: 'org.opencontainers.image.revision=a\norg.opencontainers.image.created=b' }
    ],
    ['what annotations say of the commit', { annotations: 'manifest:org.opencontainers.image.revision=a' }],
    ['limits', { ulimit: 'nofile=1' }],
    ['the value of a secret', { secrets: 'a=c' }],
    ['tags', { tags: 'v1' }]
  ])('of the inputs does not differ with %s', (_, values) => {
    const before = values.secrets === undefined ? usual : take({ secrets: 'a=b' })
    expect(take(values)).toEqual(before)
  })
})
