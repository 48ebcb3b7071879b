import { explainMisses } from '../cache/explain-miss.ts'
import { chainOfKeys } from '../cache/key-tags.ts'
import type { InstructionKey } from '../cache/key-types.ts'
import { isRecorded, nameOfEngine, readKeysLabel } from '../cache/keys-label.ts'
import { nameOf } from '../dockerfile/stage-graph.ts'
import { unusualModes } from '../git/file-modes.ts'
import { isCommitId } from '../git/git.ts'
import { describeLateness, timeOf } from '../lib/bounds.ts'
import { CancelledError, messageOf } from '../lib/errors.ts'
import { within } from '../lib/within.ts'
import { REVISION_LABEL } from '../plan/labels.ts'
import { uncachedStages } from '../plan/no-cache.ts'
import type { Run } from '../plan/run-context.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import type { ReadImage } from '../registry/image.ts'
import { look } from '../registry/look.ts'
import type { Build } from '../result/result.ts'
import type { Caches } from './cache-sources.ts'

/** Determines why steps of these builds were not cached, and adds the reasons to the builds. A failure never fails the run. */
export async function explainAll(
  run: Pick<Run, 'plan' | 'registry' | 'git' | 'changesSince' | 'log' | 'timeline'>,
  caches: Caches,
  builds: readonly Build[]
): Promise<void> {
  const work = (): Promise<'done'> => explain(run, caches, builds).then(() => 'done')
  try {
    const end = await run.timeline.measure('look', 'Explain', () => within(timeOf('explain'), work()))
    if (end === undefined) run.log.warning(`Cannot explain all cache misses: ${describeLateness('explain')}`)
  } catch (error) {
    if (error instanceof CancelledError) throw error
    // a missing explanation must not fail the run
    run.log.warning(`Cannot explain the cache misses: ${messageOf(error)}`)
  }
}

async function explain(
  run: Pick<Run, 'plan' | 'registry' | 'git' | 'changesSince'>,
  { keys, digests }: Caches,
  builds: readonly Build[]
): Promise<void> {
  const { plan, git, changesSince, registry } = run
  const { inputs, dockerfile } = plan
  const names = new Set(builds.flatMap(({ steps }) => steps.filter(({ cached }) => !cached).map(({ stage }) => stage)))
  if (names.size === 0) return
  const indices = dockerfile.stages.filter((stage) => names.has(nameOf(stage))).map(({ index }) => String(index))
  const executedStages = new Set([...names, ...indices])

  const oddModes = unusualModes(inputs.context, (await git.tracked()) ?? [])
  const argumentNames = new Set(
    dockerfile.stages.flatMap(({ instructions }) =>
      instructions.flatMap(({ keyword, text }) =>
        keyword === 'ARG' ? [...text.matchAll(/\s([A-Za-z_]\w*)/g)].map(([, name = '']) => name) : []
      )
    )
  )
  const explainOne = async (build: Build, stageBuild: StageBuild): Promise<void> => {
    const chain = chainOfKeys(stageBuild, keys)
    const published = await imageToCompare(registry, build, stageBuild, chain)
    const revision = published.image?.labels[REVISION_LABEL] ?? ''
    build.misses = explainMisses({
      ...{ stageBuild, build, published, executedStages, argumentNames, digests },
      cacheMetadata: plan.strategy.capabilities.cacheMetadata,
      reusesLayers: plan.strategy.capabilities.reusesLayers,
      keys: chain,
      engine: nameOfEngine(plan.engine),
      changed: isCommitId(revision) ? await changesSince(revision) : undefined,
      unusualModes: oddModes,
      uncachedStages: uncachedStages(plan, stageBuild),
      publishesAllStages: inputs.cacheStages === 'auto'
    })
  }
  await Promise.all(
    plan.builds.map(async (stageBuild) => {
      const build = builds.find(({ image }) => image === stageBuild.reference)
      if (build?.steps.some(({ cached }) => !cached)) await explainOne(build, stageBuild)
    })
  )
}

/**
 * Returns the image with which to compare the keys of a build. A cache tag names the first image with its layers, which may have
 * other instructions after them than the newest one; compared with that, only what this commit changes differs.
 */
async function imageToCompare(
  registry: Run['registry'],
  { cacheSource }: Build,
  stageBuild: StageBuild,
  keys: readonly InstructionKey[]
): Promise<ReadImage> {
  const source = await registry.published(cacheSource)
  if (cacheSource === stageBuild.cacheSource) return source
  const newest = await look(registry, stageBuild.cacheSource)
  const alike = countAlike(source, keys)
  return newest.image && alike < keys.length && countAlike(newest, keys) >= alike ? newest : source
}

/** Counts the first keys that an image has. */
function countAlike({ image }: ReadImage, keys: readonly InstructionKey[]): number {
  const { chain = [] } = readKeysLabel(image?.labels ?? {}) ?? {}
  const differing = keys.findIndex((key, index) => !isRecorded(key, chain[index]))
  return differing === -1 ? keys.length : differing
}
