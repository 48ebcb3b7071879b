import { followLinks, takenFrom } from '../dockerfile/context-files.ts'
import { imagesNeededFor, neededStages, stageAt } from '../dockerfile/stage-graph.ts'
import type { Changes } from '../git/changes.ts'
import { isCommitId } from '../git/git.ts'
import { INPUTS_LABEL, TESTS_LABEL } from '../plan/fingerprints.ts'
import { REVISION_LABEL } from '../plan/labels.ts'
import type { Run } from '../plan/run-context.ts'
import type { ImageRecord } from '../registry/image.ts'
import type { Build, TestResult, Unchanged } from '../result/result.ts'
import { recordedBase } from '../strategy/base-images.ts'
import type { Strategy } from '../strategy/strategy.ts'

/**
 * Returns the tests as results, if they need not run: they passed, with the same options, in a published builder image with the
 * same layers and the same configuration. Returns undefined if they must run, also if one of these facts is unknown.
 */
export async function findPassedTests(
  run: Pick<Run, 'plan' | 'registry'>,
  strategy: Strategy,
  builder: Build
): Promise<TestResult[] | undefined> {
  const { fingerprints, inputs } = run.plan
  if (!inputs.skipUnchangedTests || fingerprints.tests === undefined) return undefined
  const [{ image: published }, { image: built }] = await Promise.all([
    run.registry.published(builder.cacheSource),
    strategy.readBuilt(builder)
  ])
  const commit = published && testedCommit(published, fingerprints.tests)
  const isSame =
    published !== undefined &&
    published.layers.length > 0 &&
    published.layers.join() === built?.layers.join() &&
    published.runtime === built.runtime
  return commit !== undefined && isSame ? asResults(inputs.tests, commit) : undefined
}

/** Returns the commit for which an image passed the tests with this fingerprint. */
function testedCommit({ labels }: ImageRecord, fingerprint: string): string | undefined {
  const { [REVISION_LABEL]: commit = '' } = labels
  return labels[TESTS_LABEL] === fingerprint && isCommitId(commit) ? commit : undefined
}

function asResults(tests: readonly string[], commit: string): TestResult[] {
  return tests.map((command) => ({ command, status: 'unchanged', exitCode: null, seconds: 0, passedFor: commit }))
}

/**
 * Returns the published images, if a build would reproduce them and the tests passed in them: no file that an instruction reads
 * has changed since, no base image, and nothing else that a build depends on.
 *
 * @returns otherwise `why`: one clause that names the change, or the unknown
 */
export async function findUnchanged(
  run: Pick<Run, 'plan' | 'registry' | 'changesSince'>
): Promise<{ unchanged: Unchanged; tests: TestResult[]; why?: undefined } | { why: string }> {
  const { inputs, refs, fingerprints } = run.plan
  const [builder, production] = await Promise.all(
    [refs.movingBuilder, refs.movingProduction].map(async (reference) => run.registry.published(reference))
  )
  if (!builder?.image || !production?.image) return { why: 'not both images are published' }
  const images = [builder.image, production.image]
  const [builderCommit, commit] = images.map(({ labels }) => labels[REVISION_LABEL] ?? '')
  if (!isCommitId(builderCommit ?? '') || !isCommitId(commit ?? '')) {
    return { why: 'the published images name no commit' }
  }
  if (production.image.digest === undefined) return { why: 'the digest of the published image is unknown' }
  if (images.some(({ labels }) => labels[INPUTS_LABEL] !== fingerprints.inputs)) {
    return { why: 'the Dockerfile, an input or the .dockerignore differs' }
  }
  const tested = fingerprints.tests === undefined ? undefined : testedCommit(builder.image, fingerprints.tests)
  if (inputs.tests.length > 0 && tested === undefined) {
    return { why: 'the tests differ, or may depend on what is outside the container' }
  }
  const why = (await whyFilesDiffer(run, images)) ?? (await whyBasesDiffer(run, production.image))
  if (why !== undefined) return { why }
  const { digest } = production.image
  return {
    unchanged: { image: `${inputs.image}@${digest}`, digest, commit: commit ?? '', builderCommit: builderCommit ?? '' },
    tests: asResults(inputs.tests, builderCommit ?? '')
  }
}

async function whyFilesDiffer(
  { plan, changesSince }: Pick<Run, 'plan' | 'changesSince'>,
  images: readonly ImageRecord[]
): Promise<string | undefined> {
  const { dockerfile, inputs } = plan
  const instructions = neededStages(
    plan.dockerfile,
    [plan.builderStage, plan.targetStage].map((index) => stageAt(plan.dockerfile, index))
  ).flatMap((stage) => stage.instructions)
  const unclear = instructions.find(
    ({ keyword, text, contextSources, hasVariable }) =>
      keyword === 'ONBUILD' ||
      (keyword === 'ADD' && /:\/\/|git@/.test(text)) ||
      text.includes('--parents') ||
      (contextSources.length > 0 && hasVariable)
  )
  if (unclear) return `what line ${unclear.line} reads cannot be told`
  if (dockerfile.stages.some(({ baseUnknown }) => baseUnknown)) return 'only the engine knows what a stage is built on'

  const links = await followLinks(
    inputs.context,
    instructions.flatMap(({ contextSources }) => contextSources)
  )
  const commits = new Set(images.map(({ labels }) => labels[REVISION_LABEL] ?? ''))
  const all = await Promise.all([...commits].map(changesSince))
  if (!all.every(isKnown)) return 'neither git here nor GitHub has the commit of the published images'
  const paths = all.flatMap(({ changed, untracked }) => [...changed, ...untracked])
  const taken = instructions.flatMap(({ contextSources, excludes }) => {
    // a wildcard may match a link
    const sources = contextSources.flatMap((source) =>
      /[*?[\\]/.test(source) ? ['.'] : [source, ...(links.get(source) ?? [])]
    )
    return takenFrom(paths, sources, excludes, plan.dockerignore)
  })
  return taken[0] === undefined ? undefined : `${JSON.stringify(taken[0])} changed, or git does not track it`
}

function isKnown(changes: Changes): changes is Changes & { changed: string[]; untracked: string[] } {
  return changes.changed !== undefined && changes.untracked !== undefined
}

async function whyBasesDiffer(
  { plan, registry }: Pick<Run, 'plan' | 'registry'>,
  production: ImageRecord
): Promise<string | undefined> {
  const reasons = await Promise.all(
    imagesNeededFor(
      plan.dockerfile,
      [plan.builderStage, plan.targetStage].map((index) => stageAt(plan.dockerfile, index))
    ).map(async (base) => {
      const { image } = await registry.published(base)
      if (image?.digest === undefined || image.digest !== recordedBase(production.labels, base)) {
        return `the base image ${base} moved, or its digest is not known`
      }
      return image.hasTriggers === false ? undefined : `the base image ${base} has instructions of its own`
    })
  )
  return reasons.find((reason) => reason !== undefined)
}
