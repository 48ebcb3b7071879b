import { describe, expect, it } from '@jest/globals'
import type { InstructionKey, StageKeys } from '../../../src/cache/content-keys.ts'
import { keysLabel } from '../../../src/cache/keys-label.ts'
import { whyOtherContent, whyOtherPlan } from '../../../src/pipeline/take-over.ts'
import { REVISION_LABEL } from '../../../src/plan/labels.ts'
import type { StageBuild } from '../../../src/plan/stage-builds.ts'
import { VARIANT_LABEL } from '../../../src/plan/variant.ts'
import type { HandOff } from '../../../src/result/hand-off.ts'
import { makePlan, SHA } from '../../support/make-plan.ts'

const DIGEST = `sha256:${'1'.repeat(64)}`
const BUILDER = 'octo/app:builder-0123456'
const PLAN = makePlan()
const HAND_OFF: HandOff = {
  ...{ version: 1, runId: '7', commit: SHA, image: 'octo/app', variant: PLAN.variant, buildArgs: PLAN.buildArgs },
  ...{ inputs: {}, tests: [0, 1], transport: 'registry', digest: DIGEST },
  images: [{ reference: BUILDER, digest: DIGEST }],
  ...{ startedAt: 0, builds: [], timeline: [] }
}

describe('whyOtherPlan', () => {
  it('finds nothing in the hand-off of the same run, with images or without', () => {
    expect(whyOtherPlan(PLAN, HAND_OFF, [BUILDER], '7')).toBeUndefined()
    expect(whyOtherPlan(PLAN, { ...HAND_OFF, digest: '', images: [] }, [BUILDER], '7')).toBeUndefined()
  })

  it.each<[Partial<HandOff>, string]>([
    [{ runId: '8' }, 'it is of the workflow run 8'],
    [{ runId: '' }, 'it is of the workflow run without an ID'],
    [{ commit: 'f'.repeat(40) }, `it is of commit ${'f'.repeat(40)}, and this step builds ${SHA}`],
    [{ image: 'octo/other' }, 'it is of octo/other, and the input image is octo/app'],
    [{ variant: 'x' }, 'its tags, target, platform, context or Dockerfile are others'],
    [{ buildArgs: 'x' }, 'its build arguments are others'],
    [{ images: [] }, 'its stages are others'],
    [{ images: [{ reference: 'octo/app:builder-fffffff', digest: DIGEST }] }, 'its stages are others'],
    [{ images: [...HAND_OFF.images, ...HAND_OFF.images] }, 'its stages are others']
  ])('tells what is wrong with %j', (change, why) => {
    expect(whyOtherPlan(PLAN, { ...HAND_OFF, ...change }, [BUILDER], '7')).toBe(why)
  })
})

describe('whyOtherContent', () => {
  const [builder, production] = PLAN.builds as [StageBuild, StageBuild]
  const key = (line: number, digit: string): InstructionKey => ({
    ...{ line, keyword: 'RUN', key: digit.repeat(64), ingredients: [], readsOutside: false },
    ...{ isStep: true, files: [] }
  })
  const keysOf = (...digits: string[]): Map<number, StageKeys> => {
    const [base, ...instructions] = digits.map((digit, index) => key(index + 1, digit))
    if (!base) throw new Error('FROM has a key, too')
    return new Map([[builder.stage, { stage: builder.stage, base, instructions, image: undefined }]])
  }
  const labelsOf = (...digits: string[]): Record<string, string> => {
    const [name = '', ...value] = keysLabel(builder, keysOf(...digits), 'e').split('=')
    return { [REVISION_LABEL]: SHA, [VARIANT_LABEL]: '', [name]: value.join('=') }
  }
  const why = (labels: Record<string, string>, stage = builder): string | undefined =>
    whyOtherContent(PLAN, stage, keysOf('a', 'b'), {
      labels,
      runtime: '',
      layers: [],
      history: [],
      recorded: 'unknown'
    })

  it('finds nothing in the image of the same commit, stage and content', () => {
    expect(why(labelsOf('a', 'b'))).toBeUndefined()
  })

  it.each<[string, Record<string, string>, string]>([
    ['another commit', { ...labelsOf('a', 'b'), [REVISION_LABEL]: 'f'.repeat(40) }, 'it is an image of commit ffff'],
    ['no commit', {}, 'it is an image of commit unknown'],
    ['another stage', { ...labelsOf('a', 'b'), [VARIANT_LABEL]: 'v' }, 'it is the image of another stage'],
    ['another file', labelsOf('a', 'c'), 'it was built of other content (line 2 of the Dockerfile)'],
    ['another base image', labelsOf('c', 'b'), 'it was built of other content (line 1 of the Dockerfile)'],
    ['fewer instructions', labelsOf('a'), 'it was built of other content (line 2 of the Dockerfile)'],
    ['more instructions', labelsOf('a', 'b', 'c'), 'it was built of other content'],
    ['unknown content', { [REVISION_LABEL]: SHA }, 'it was built of other content']
  ])('tells what is wrong with an image of %s', (_, labels, expected) => {
    expect(why(labels)).toContain(expected)
  })

  it('wants the variant of a stage that is also published', () => {
    expect(why(labelsOf('a', 'b'), production)).toBe('it is the image of another stage')
  })
})
