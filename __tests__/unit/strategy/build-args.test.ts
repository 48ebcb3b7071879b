import { describe, expect, it } from '@jest/globals'
import { publicInputs } from '../../../src/action/secrets.ts'
import {
  buildxOnlyArgs,
  commonBuildArgs,
  freshnessArgs,
  secretArgs,
  secretEnvironment
} from '../../../src/strategy/build-args.ts'
import { makeInputs, makePlan } from '../../support/make-plan.ts'

describe('commonBuildArgs', () => {
  it('leaves out what is not set', () => {
    const build = { file: 'Dockerfile', target: undefined, tags: ['a:1'], labels: [], idFile: '/t/id' }
    const args = commonBuildArgs(publicInputs(makeInputs()), build)
    expect(args).toEqual(['--file', 'Dockerfile', '--tag', 'a:1', '--iidfile', '/t/id'])
  })

  it('passes on every input that both builders know', () => {
    const all = makeInputs({
      'build-args': 'A=1 2\nB',
      'add-hosts': 'db:10.0.0.1',
      network: 'host',
      platform: 'linux/amd64',
      'shm-size': '1g',
      ulimit: 'nofile=1024:2048\nnproc=3'
    })
    const build = { file: 'D', target: 'builder', tags: ['a:1', 'a:2'], labels: ['k=v w'], idFile: '/t/id' }
    expect(commonBuildArgs(publicInputs(all), build).join('|')).toBe(
      '--file|D|--target|builder|--tag|a:1|--tag|a:2|--label|k=v w|--build-arg|A=1 2|--build-arg|B|--add-host|db:10.0.0.1|--network|host|--platform|linux/amd64|--shm-size|1g|--ulimit|nofile=1024:2048|--ulimit|nproc=3|--iidfile|/t/id'
    )
  })
})

/** The options of a build that BuildKit makes, on the containerd store. */
function argsOf(
  kind: string,
  inputs: Record<string, string>,
  text?: string,
  images: 'given' | 'none' = 'none'
): string {
  const made = makePlan({ inputs, ...(text !== undefined && { text }) })
  const stage = made.builds.find((one) => one.kind === kind)
  if (!stage) throw new Error(`no build of ${kind}`)
  const fresh = freshnessArgs(made, stage, images === 'given' ? stage.images : [])
  return [...buildxOnlyArgs(made, stage), ...fresh].join(' ')
}

describe('freshnessArgs', () => {
  const three =
    'FROM a AS deps\nRUN x\nFROM deps AS builder\nRUN y\nFROM b AS app\nCOPY --from=builder /a /a\nCOPY --from=deps /b /b\n'
  const on = 'FROM a AS builder\nRUN x\nFROM builder AS app\nRUN y\n'

  it.each<[string, string, Record<string, string>, string, string | undefined, 'given' | 'none']>([
    ['nothing without an input', 'builder', {}, '', undefined, 'none'],
    ['all of it', 'builder', { 'no-cache': 'true' }, '--no-cache', undefined, 'none'],
    ['all that the images leave', 'production', { 'no-cache': 'true' }, '--no-cache', undefined, 'given'],
    ['no stage that is built already', 'production', { 'no-cache': 'true' }, '--no-cache-filter app', on, 'none'],
    [
      'no cache stage that is built already',
      'builder',
      { 'no-cache': 'true' },
      '--no-cache-filter builder',
      three,
      'none'
    ],
    ['that cache stage', 'cache', { 'no-cache': 'true' }, '--no-cache', three, 'none'],
    ['a stage by its name', 'builder', { 'no-cache-filters': 'builder' }, '--no-cache-filter builder', three, 'none'],
    [
      'what is built on a named stage',
      'builder',
      { 'no-cache-filters': 'DEPS' },
      '--no-cache-filter builder',
      three,
      'none'
    ],
    ['nothing that only copies from a named stage', 'production', { 'no-cache-filters': 'deps' }, '', three, 'given'],
    ['the newest base image', 'builder', { pull: 'true' }, '--pull', undefined, 'none'],
    ['no image of this run', 'production', { pull: 'true' }, '', undefined, 'given']
  ])('exclude from the cache, or pull: %s', (_, kind, inputs, args, text, images) => {
    expect(argsOf(kind, inputs, text, images)).toBe(['--provenance=false', args].join(' ').trim())
  })
})

describe('buildxOnlyArgs', () => {
  it('attests and annotates production alone', () => {
    const inputs = {
      provenance: 'mode=max',
      sbom: 'true',
      annotations: 'a=b c',
      'build-contexts': 'c=docker-image://d'
    }
    expect(argsOf('builder', inputs)).toBe('--provenance=false --build-context c=docker-image://d')
    expect(argsOf('production', inputs)).toBe(
      '--provenance=mode=max --sbom=true --annotation a=b c --output type=image --build-context c=docker-image://d'
    )
  })
})

describe('secrets', () => {
  it('in files are read by docker itself', () => {
    const inputs = publicInputs(makeInputs({ 'secret-files': 'a=b c\nd=e, "f"' }))
    expect(secretArgs(inputs)).toEqual(['--secret', 'id=a,src=b c', '--secret', 'id=d,"src=e, ""f"""'])
  })

  it('go through the environment, never through an argument', () => {
    const withSecrets = makeInputs({ secrets: 'npm=s3cret\npem=other', ssh: 'default' })
    expect(secretArgs(publicInputs(withSecrets))).toEqual([
      '--secret',
      'id=npm,env=SHARED_DOCKER_LAYERS_SECRET_1',
      '--secret',
      'id=pem,env=SHARED_DOCKER_LAYERS_SECRET_2',
      '--ssh',
      'default'
    ])
    expect(secretEnvironment(publicInputs(withSecrets), withSecrets.secrets.toReversed())).toEqual({
      SHARED_DOCKER_LAYERS_SECRET_1: 's3cret',
      SHARED_DOCKER_LAYERS_SECRET_2: 'other'
    })
  })
})
