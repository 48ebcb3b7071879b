import { describe, expect, it } from '@jest/globals'
import { publicInputs } from '../../../src/action/secrets.ts'
import { parseDockerfile } from '../../../src/dockerfile/parse.ts'
import { checkBuildContexts, checkBuilderInputs, inputsForBuildKit } from '../../../src/plan/builder-inputs.ts'
import { makeInputs } from '../../support/make-plan.ts'

const OF_MANIFEST = { annotations: 'a=b', provenance: 'mode=max', sbom: 'true' }
const OF_STAGES = { 'no-cache-filters': 'builder', 'build-contexts': 'a=.' }
const NEEDING = { ...OF_MANIFEST, ...OF_STAGES, secrets: 'a=b', 'secret-files': 'c=d', ssh: 'default' }
const D28 = { version: '28.5.1', store: 'containerd', buildx: '0.29.1' }

function check(inputs: Record<string, string>, engine: object = {}, client = 'buildx'): () => void {
  return () => checkBuilderInputs(publicInputs(makeInputs(inputs)), { ...D28, ...engine }, { client })
}

describe('inputsForBuildKit', () => {
  it.each(Object.entries(NEEDING))('has %s', (name, value) => {
    expect(inputsForBuildKit(publicInputs(makeInputs({ [name]: value })))).toEqual([name])
  })

  it('has secrets of the environment by the name of their input', () => {
    const inputs = { ...makeInputs({ 'secret-envs': 'a=B' }), secrets: [{ id: 'a', value: 'x' }] }
    expect(inputsForBuildKit(publicInputs(inputs))).toEqual(['secret-envs'])
  })

  it('has none that the legacy builder supports', () => {
    const inputs = makeInputs({ 'no-cache': 'true', pull: 'true', ulimit: 'nofile=1', provenance: 'false' })
    expect(inputsForBuildKit(publicInputs(inputs))).toEqual([])
  })
})

describe('checkBuilderInputs', () => {
  it.each(Object.entries({ ...NEEDING, ulimit: 'nofile=1' }))(
    'accepts %s with buildx and the containerd store',
    (name, value) => {
      expect(check({ [name]: value })).not.toThrow()
    }
  )

  it.each(Object.entries(OF_MANIFEST))('refuses %s with another store', (name, value) => {
    expect(check({ [name]: value }, { store: 'overlay2' })).toThrow(
      `Input ${name} needs the containerd image store, and this engine (Docker 28.5.1) has the store overlay2; remove the input, or turn on the feature containerd-snapshotter of the engine`
    )
  })

  it.each(Object.entries({ ...OF_MANIFEST, ...OF_STAGES }))('refuses %s without buildx', (name, value) => {
    expect(check({ [name]: value }, { buildx: undefined })).toThrow(`Input ${name} needs buildx`)
    expect(check({ [name]: value }, { buildx: '0.7.1' })).toThrow('and this docker client has 0.7.1; upgrade it')
  })

  it('refuses ulimit with the BuildKit client of docker 20.10, which ignores it', () => {
    expect(check({ ulimit: 'nofile=1' }, { buildx: undefined }, 'integrated')).toThrow('Input ulimit needs buildx')
    expect(check({ ulimit: 'nofile=1' }, { buildx: undefined }, 'legacy')).not.toThrow()
  })
})

describe('checkBuildContexts', () => {
  const dockerfile = parseDockerfile('FROM a AS deps\nFROM b\n')
  const checkAll = (text: string) => () =>
    checkBuildContexts(dockerfile, makeInputs({ 'build-contexts': text }).buildContexts)

  it('refuses the name of a stage, and a folder that is not there', () => {
    expect(checkAll('a=.\nb=docker-image://c\nd=https://e')).not.toThrow()
    expect(checkAll('deps=.')).toThrow('Input build-contexts has the name "deps", which is a stage of the Dockerfile')
    expect(checkAll('a=/no/such')).toThrow('the folder of the context "a" was not found: "/no/such"')
    expect(checkAll('a=package.json')).toThrow('was not found')
  })
})
