import type { Test } from '../action/tests.ts'
import type { ContentKeys } from '../cache/key-tags.ts'
import { isCommitId } from '../git/git.ts'
import { REVISION_LABEL } from '../plan/labels.ts'
import type { Plan } from '../plan/plan.ts'
import { partOf } from '../plan/references.ts'
import type { Run } from '../plan/run-context.ts'
import { VARIANT_LABEL } from '../plan/variant.ts'
import type { ImageRecord } from '../registry/image.ts'
import { look } from '../registry/look.ts'
import type { Build, TestResult, Unchanged } from '../result/result.ts'
import type { Strategy } from '../strategy/strategy.ts'
import { testedTags } from './publish/tested-tags.ts'

/**
 * Returns the tests as results, if they need not run: they passed, with the same options, in a builder image with the same
 * layers and the same configuration. Returns undefined if they must run, also if one of these facts is unknown.
 */
export async function findPassedTests(
  run: Pick<Run, 'plan' | 'registry'>,
  strategy: Strategy,
  builder: Build,
  keys: ContentKeys
): Promise<TestResult[] | undefined> {
  const { inputs } = run.plan
  const tag = testedTags(run.plan, keys).builder
  if (!inputs.skipUnchangedTests || tag === undefined) return undefined
  const [{ image: tested }, { image: built }] = await Promise.all([
    look(run.registry, tag),
    strategy.readBuilt(builder)
  ])
  const commit = tested && commitOf(tested)
  const isSame =
    tested !== undefined &&
    tested.layers.length > 0 &&
    tested.layers.join() === built?.layers.join() &&
    tested.runtime === built.runtime
  return commit !== undefined && isSame ? asResults(inputs.tests, commit) : undefined
}

function commitOf({ labels }: ImageRecord): string | undefined {
  const { [REVISION_LABEL]: commit = '' } = labels
  return isCommitId(commit) ? commit : undefined
}

function asResults(tests: readonly Test[], commit: string, kind?: 'production-test'): TestResult[] {
  return tests.map(({ command }) => ({
    ...(kind !== undefined && { kind }),
    ...{ command, status: 'unchanged', exitCode: null, seconds: 0, passedFor: commit }
  }))
}

/**
 * Returns the image that an earlier run built from the same content and tested with the same tests, on whichever branch.
 *
 * @returns otherwise `why`: one clause
 */
export async function findUnchanged(
  run: Pick<Run, 'plan' | 'registry'>,
  keys: ContentKeys
): Promise<{ unchanged: Unchanged; tests: TestResult[]; why?: undefined } | { why: string }> {
  const { plan, registry } = run
  const { inputs } = plan
  const tag = testedTags(plan, keys).production
  if (tag === undefined) return { why: whyNoTag(plan, keys) }
  const { image, failure } = await look(registry, tag)
  if (failure) {
    return {
      why:
        failure.kind === 'absent'
          ? `no earlier run has tested this content (${tag} does not exist)`
          : `${tag} cannot be inspected (${failure.message})`
    }
  }
  // the index of all platforms needs images of one variant
  if (partOf(inputs) !== undefined && image.labels[VARIANT_LABEL] !== plan.variant) {
    return { why: `${tag} is another variant of the image` }
  }
  const commit = commitOf(image)
  if (commit === undefined || image.digest === undefined) return { why: `${tag} names no commit` }
  const { digest } = image
  return {
    unchanged: { image: `${inputs.image}@${digest}`, digest, commit, builderCommit: commit },
    tests: [...asResults(inputs.tests, commit), ...asResults(inputs.productionTests, commit, 'production-test')]
  }
}

function whyNoTag({ fingerprints, engine, builderStage, targetStage }: Plan, keys: ContentKeys): string {
  if (engine.platform === undefined) return 'the platform of the engine is unknown'
  if (fingerprints.allTests === undefined) return 'the tests may depend on what is outside the container'
  if (keys.size === 0) return 'the Dockerfile has no content keys'
  const unknown = [builderStage, targetStage]
    .flatMap((index) => [keys.get(index)?.base ?? [], keys.get(index)?.instructions ?? []].flat())
    .find(({ key }) => key === undefined)
  return unknown === undefined
    ? 'the configuration of an image is unknown'
    : `it is unknown what line ${unknown.line} of the Dockerfile reads`
}
