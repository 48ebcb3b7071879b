import { type ContentKeys, cacheTagsOf, testedTagOf } from '../../cache/key-tags.ts'
import { describeLateness, timeOf } from '../../lib/bounds.ts'
import { settle } from '../../lib/settle.ts'
import { within } from '../../lib/within.ts'
import { secretIdsOf } from '../../plan/fingerprints.ts'
import { isRefreshing } from '../../plan/no-cache.ts'
import type { Plan } from '../../plan/plan.ts'
import type { StageBuild } from '../../plan/stage-builds.ts'
import type { Build, TestResult } from '../../result/result.ts'
import type { Caches } from '../cache-sources.ts'
import { type CacheTagsRun, mayWriteCacheTags } from './cache-tags.ts'

/** The tested tags of a run; undefined without the content keys of its images, or if tests may depend on anything outside them. */
export interface TestedTags {
  /** Of the production image: everything that the run builds and tests is the same. */
  production: string | undefined
  /** Of the builder image: what the tests run in is the same, and the tests are. */
  builder: string | undefined
}

export function testedTags({ inputs, fingerprints, builderStage, targetStage }: Plan, keys: ContentKeys): TestedTags {
  const [builder, production] = [builderStage, targetStage].map((stage) => keys.get(stage)?.image)
  const { tests, allTests, inputs: others } = fingerprints
  return {
    production: testedTagOf(inputs.image, [builder, production, allTests, others]),
    // without tests nothing is skipped
    builder:
      inputs.tests.length === 0 ? undefined : testedTagOf(inputs.image, [builder, tests, secretIdsOf(inputs).join()])
  }
}

/** The images of a run in which everything passed. */
export interface Tested {
  builds: readonly Build[]
  tests: readonly TestResult[]
  /** Digests of the pushed images, by reference in the engine; '' if unknown. */
  digests: ReadonlyMap<string, string>
}

/**
 * Gives the images their tested tags, except those that exist, unless the run has refreshed what they name: only through them
 * does a later run skip tests. A failure never fails the run.
 *
 * @returns the added tags
 */
export async function writeTestedTags(
  run: CacheTagsRun,
  { builds, tests, digests }: Tested,
  tags: TestedTags,
  caches: Caches
): Promise<string[]> {
  const { plan } = run
  const { inputs, decision } = plan
  const isWanted = decision.push && (inputs.skipUnchangedTests || mayWriteCacheTags(plan))
  const isPassed = tests.every(({ status }) => status === 'passed' || status === 'unchanged')
  if (
    !isWanted ||
    !isPassed ||
    tests.length < inputs.tests.length + inputs.productionTests.length + inputs.checks.length
  )
    return []
  const added: string[] = []
  for (const stage of plan.builds) {
    const image = imageOf(plan.inputs.image, stage, { builds, digests }, caches)
    if (image === undefined) continue
    for (const tag of tagsOf(plan, stage, tags)) {
      // a cancellation must not hide which tags are added
      added.push(...(await settle([writeTestedTag(run, tag, image)])).flat())
      if (run.signal.aborted) return added
    }
  }
  return added
}

/** Returns the tested tags of a stage's image: the production stage may also be the builder stage. */
function tagsOf({ builderStage }: Plan, { kind, stage }: StageBuild, { builder, production }: TestedTags): string[] {
  if (kind === 'cache') return []
  return [...(stage === builderStage ? [builder] : []), ...(kind === 'production' ? [production] : [])].flatMap(
    (tag) => tag ?? []
  )
}

async function writeTestedTag(
  { plan, registry, log }: Pick<CacheTagsRun, 'plan' | 'registry' | 'log'>,
  tag: string,
  image: string
): Promise<string[]> {
  const known = await within(timeOf('look'), registry.digest(tag))
  // a run without a cache replaces it: later runs must not publish what is older
  if (known?.value !== undefined && !isRefreshing(plan.inputs)) return []
  const { failure } = known ? await registry.tag(image, [tag]) : { failure: { message: describeLateness('look') } }
  if (failure === undefined) return [tag]
  log.warning(`The tested tag ${tag} could not be written, so a later run tests the same again (${failure.message})`)
  return []
}

/** Returns a reference of the very image that was tested; undefined if it is not in the registry. */
function imageOf(
  repository: string,
  stage: StageBuild,
  { builds, digests }: Pick<Tested, 'builds' | 'digests'>,
  { keys, sources }: Caches
): string | undefined {
  const digest = digests.get(stage.reference) ?? ''
  if (digest !== '') return `${repository}@${digest}`
  // what people deploy must be the very image of this run
  if (stage.kind === 'production') return undefined
  const [longest] = cacheTagsOf(repository, stage, keys)
  const build = builds.find(({ image }) => image === stage.reference)
  // then the image of the cache tag has the same layers
  const isSame = build?.cacheSource === longest && build?.steps.every(({ cached }) => cached)
  return longest !== undefined && isSame && sources.exists(longest) ? longest : undefined
}
