import { describe, expect, it } from '@jest/globals'
import { parseDockerfile } from '../../../src/dockerfile/parse.ts'
import { neededStages } from '../../../src/dockerfile/stage-graph.ts'
import {
  checkNoCacheFilters,
  isRefreshed,
  isRefreshing,
  stagesWithoutCache,
  startsFromRefreshed,
  uncachedStages,
  usesCacheSource
} from '../../../src/plan/no-cache.ts'
import { makePlan } from '../../support/make-plan.ts'

const COPIES = 'FROM a AS builder\nRUN x\nFROM b AS app\nCOPY --from=builder /a /a\n'
const ON = 'FROM a AS builder\nRUN x\nFROM builder\nRUN y\n'
const THREE =
  'FROM a AS deps\nRUN x\nFROM deps AS builder\nRUN y\nFROM b\nCOPY --from=builder /a /a\nCOPY --from=deps /b /b\n'
/** A stage that both need, and that is no image. */
const SHARED =
  'FROM a AS tools\nRUN x\nFROM a AS builder\nCOPY --from=tools /t /t\nFROM b AS app\nCOPY --from=tools /t /t\nCOPY --from=builder /a /a\n'

/** By build: the uncached stages, whether it uses its cache source, and whether it starts from images. */
function planned(text: string, inputs: Record<string, string>): string[] {
  const plan = makePlan({ text, inputs })
  return plan.builds.map((build) =>
    [
      build.name,
      `[${uncachedStages(plan, build).join()}]`,
      ...(usesCacheSource(plan, build) ? ['cached'] : []),
      ...(startsFromRefreshed(plan, build) ? ['from images'] : [])
    ].join(' ')
  )
}

describe('What is built without a cache', () => {
  it.each<[string, string, Record<string, string>, string[]]>([
    ['nothing', COPIES, {}, ['builder [] cached', 'app [] cached']],
    ['everything', COPIES, { 'no-cache': 'true' }, ['builder [builder]', 'app [app] from images']],
    [
      'everything, once',
      THREE,
      { 'no-cache': 'true' },
      ['deps [deps]', 'builder [builder]', 'stage-2 [stage-2] from images']
    ],
    [
      'everything, once, without images of it',
      SHARED,
      { 'no-cache': 'true', 'cache-stages': 'none' },
      ['builder [tools,builder]', 'app [app] from images']
    ],
    ['production on the builder stage', ON, { 'no-cache': 'true' }, ['builder [builder]', 'stage-1 [stage-1]']],
    ['a stage', COPIES, { 'no-cache-filters': 'app' }, ['builder [] cached', 'app [app]']],
    [
      'the stage that production copies from',
      COPIES,
      { 'no-cache-filters': 'builder' },
      ['builder [builder]', 'app [] cached from images']
    ],
    [
      'a stage, and what is built on it',
      ON,
      { 'no-cache-filters': 'Builder' },
      ['builder [builder]', 'stage-1 [stage-1]']
    ],
    [
      'the upper stage of two',
      THREE,
      { 'no-cache-filters': 'builder' },
      ['deps [] cached', 'builder [builder] cached', 'stage-2 [] cached from images']
    ]
  ])('is %s', (_, text, inputs, expected) => {
    expect(planned(text, inputs)).toEqual(expected)
  })

  it('makes the images new that have or copy from it', () => {
    const refreshedBy = (name: string): string[] => {
      const plan = makePlan({ text: THREE, inputs: { 'no-cache-filters': name } })
      return plan.builds.filter((build) => isRefreshed(plan, build)).map((build) => build.name)
    }
    expect(refreshedBy('deps')).toEqual(['deps', 'builder', 'stage-2'])
    expect(refreshedBy('builder')).toEqual(['builder', 'stage-2'])
    expect(refreshedBy('')).toEqual([])
  })

  it('is known of all stages', () => {
    const plan = makePlan({ text: THREE, inputs: { 'no-cache-filters': 'deps' } })
    expect([...stagesWithoutCache(plan)]).toEqual([0, 1])
    expect([isRefreshing(plan.inputs), isRefreshing(makePlan().inputs)]).toEqual([true, false])
  })
})

describe('checkNoCacheFilters', () => {
  const dockerfile = parseDockerfile('FROM a AS other\nFROM a AS builder\nFROM b\nCOPY --from=builder /a /a\n')
  const check =
    (...noCacheFilters: string[]) =>
    () =>
      checkNoCacheFilters(
        dockerfile,
        { noCache: false, noCacheFilters },
        neededStages(dockerfile, dockerfile.stages.slice(1))
      )

  it.each([
    [
      'nothing',
      'Input no-cache-filters names "nothing", but there is no such stage; the stages are: other, builder, 2'
    ],
    ['2', 'Input no-cache-filters names "2", a stage without a name, which docker cannot select; give it one: FROM'],
    ['other', 'Input no-cache-filters names "other", which neither the builder nor the production stage needs']
  ])('refuses %s', (name, message) => {
    expect(check('builder', name)).toThrow(message)
    expect(check('BUILDER', '1')).not.toThrow()
  })
})
