import { describe, expect, it } from '@jest/globals'
import { publicInputs } from '../../../src/action/secrets.ts'
import { parseDockerfile } from '../../../src/dockerfile/parse.ts'
import { type Capabilities, selectStrategy } from '../../../src/plan/select-strategy.ts'
import { makeInputs } from '../../support/make-plan.ts'

const PLAIN = 'FROM a AS builder\nRUN x\nFROM b\nCOPY --from=builder /x /x\n'
const BUILDKIT = 'FROM a AS builder\nRUN --mount=type=cache,target=/c x\nFROM b\nCOPY --from=builder /x /x\n'

const NO_INPUTS = publicInputs(makeInputs())

interface Machine {
  version: string
  store: string
  buildx?: string
}

function select(machine: Machine, text = PLAIN, dockerBuildkit?: string, secrets: string[] = []) {
  const dockerfile = parseDockerfile(text)
  const engine = {
    ...{ buildx: undefined, context: 'default', platform: 'linux/amd64', insecure: { hosts: [], ranges: [] } },
    ...machine
  }
  return selectStrategy(engine, dockerfile, { ...NO_INPUTS, secrets }, dockerBuildkit)
}

const D20: Machine = { version: '20.10.24+dfsg1', store: 'overlay2' }
const D26: Machine = { version: '26.1.5+dfsg1', store: 'overlay2', buildx: '0.13.1+ds1' }
const D26C: Machine = { ...D26, store: 'containerd' }
const D28: Machine = { version: '28.5.2+dfsg1', store: 'overlay2', buildx: 'v0.29.1' }
const D28C: Machine = { ...D28, store: 'containerd' }

describe('selectStrategy', () => {
  it.each<[string, Machine, string, string | undefined, string]>([
    ['20.10', D20, PLAIN, undefined, 'legacy legacy plain'],
    ['20.10 that needs BuildKit', D20, BUILDKIT, undefined, 'inline integrated plain warned'],
    ['26.1 overlay2', D26, PLAIN, undefined, 'legacy legacy plain'],
    ['26.1 overlay2 that needs BuildKit', D26, BUILDKIT, undefined, 'inline buildx rawjson warned'],
    ['26.1 containerd', D26C, PLAIN, undefined, 'inline buildx rawjson'],
    ['25.0 containerd', { ...D26C, version: '25.0.3' }, PLAIN, undefined, 'inline buildx rawjson warned'],
    [
      '26.1 containerd without buildx',
      { version: '26.1.5', store: 'containerd' },
      PLAIN,
      undefined,
      'legacy legacy plain warned'
    ],
    ['28.5 overlay2 without buildx', { version: '28.5.2', store: 'overlay2' }, PLAIN, undefined, 'legacy legacy plain'],
    ['28.5 containerd with DOCKER_BUILDKIT=0', D28C, PLAIN, '0', 'inline buildx rawjson warned'],
    ['27.1 overlay2', { ...D28, version: '27.1.2' }, PLAIN, undefined, 'legacy legacy plain'],
    ['27.2 overlay2', { ...D28, version: '27.2.0' }, PLAIN, undefined, 'inline buildx rawjson'],
    ['28.5 overlay2', D28, PLAIN, undefined, 'inline buildx rawjson'],
    ['28.5 containerd', D28C, BUILDKIT, undefined, 'inline buildx rawjson'],
    ['28.5 with DOCKER_BUILDKIT=0', D28, PLAIN, '0', 'legacy legacy plain'],
    ['28.5 with DOCKER_BUILDKIT=0 that needs BuildKit', D28, BUILDKIT, '0', 'inline buildx rawjson warned'],
    ['28.5 with DOCKER_BUILDKIT=1', D28, PLAIN, '1', 'inline buildx rawjson'],
    ['28.5 with an old buildx', { ...D28, buildx: 'v0.12.1' }, PLAIN, undefined, 'inline buildx plain']
  ])('%s', (_, machine, dockerfile, dockerBuildkit, expected) => {
    const { name, client, progress, warning } = select(machine, dockerfile, dockerBuildkit)
    expect([name, client, progress, ...(warning === undefined ? [] : ['warned'])].join(' ')).toBe(expected)
  })

  it.each<[string, Machine, string | undefined, string]>([
    ['26.1 overlay2, whose docker build uses BuildKit', D26, undefined, 'inline'],
    ['26.1 overlay2 with DOCKER_BUILDKIT=0', D26, '0', 'legacy'],
    ['26.1 overlay2 without buildx', { version: '26.1.5', store: 'overlay2' }, undefined, 'legacy'],
    ['20.10, whose docker build does not', D20, undefined, 'legacy'],
    ['20.10 with DOCKER_BUILDKIT=1', D20, '1', 'inline']
  ])('follows docker build where the builders differ: %s', (_, { buildx, ...machine }, dockerBuildkit, name) => {
    const engine = {
      context: 'default',
      platform: 'linux/amd64',
      insecure: { hosts: [], ranges: [] },
      buildx,
      ...machine
    }
    const choice = selectStrategy(engine, parseDockerfile(PLAIN), NO_INPUTS, dockerBuildkit, ['ARG A (line 7)'])
    expect(choice.name).toBe(name)
    if (name === 'inline') expect(choice.warning).toContain('the Dockerfile needs BuildKit (ARG A (line 7))')
  })

  it('says why and what to do', () => {
    const forgets =
      'BuildKit in Docker 26.1.5+dfsg1 with the overlay2 store loses the cache of every second build (fixed in 27.2)'
    expect(select(D26).reason).toBe(forgets)
    expect(select(D26, BUILDKIT).warning).toBe(
      `Unchanged layers may be rebuilt: ${forgets}, and the Dockerfile needs BuildKit (RUN --mount (line 2)); upgrade to Docker 28 or later, with buildx`
    )
    expect(select(D28, BUILDKIT, '0').warning).toBe(
      'Ignoring DOCKER_BUILDKIT=0: the Dockerfile needs BuildKit (RUN --mount (line 2)); remove that variable'
    )
    expect(select(D28C, PLAIN, '0').warning).toContain(
      'cannot use a cache with the containerd store; remove that variable'
    )
  })

  it.each<[string, Machine, string, Capabilities]>([
    [
      'an old buildx',
      { ...D28, buildx: 'v0.12.1' },
      PLAIN,
      {
        cacheMetadata: true,
        triggerHistory: false,
        reusesLayers: true,
        prefetch: true,
        replacesStages: true,
        hidesCacheSource: true
      }
    ],
    [
      'buildx',
      D28,
      PLAIN,
      {
        cacheMetadata: true,
        triggerHistory: false,
        reusesLayers: true,
        prefetch: true,
        replacesStages: false,
        hidesCacheSource: true
      }
    ],
    [
      'the integrated BuildKit',
      D20,
      BUILDKIT,
      {
        cacheMetadata: true,
        triggerHistory: false,
        reusesLayers: true,
        prefetch: false,
        replacesStages: true,
        hidesCacheSource: true
      }
    ],
    [
      'the legacy builder',
      D20,
      PLAIN,
      {
        cacheMetadata: false,
        triggerHistory: true,
        reusesLayers: true,
        prefetch: false,
        replacesStages: true,
        hidesCacheSource: false
      }
    ],
    [
      'the legacy builder on the containerd store',
      { version: D28C.version, store: D28C.store },
      PLAIN,
      {
        cacheMetadata: false,
        triggerHistory: true,
        reusesLayers: false,
        prefetch: false,
        replacesStages: true,
        hidesCacheSource: false
      }
    ]
  ])('tells what %s can do', (_, machine, text, capabilities) => {
    expect(select(machine, text).capabilities).toEqual(capabilities)
  })

  it('counts secrets as a need of BuildKit', () => {
    expect(select(D26, PLAIN, undefined, ['a']).name).toBe('inline')
  })

  it('refuses a Dockerfile that nothing here can build', () => {
    expect(() => select({ version: '28.5.2', store: 'overlay2' }, BUILDKIT)).toThrow(
      'The Dockerfile needs BuildKit (RUN --mount (line 2)), but this docker client has no buildx'
    )
  })
})
