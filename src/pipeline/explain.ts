import { explainMisses } from '../cache/explain-miss.ts'
import { chainOfKeys } from '../cache/key-tags.ts'
import { nameOfEngine } from '../cache/keys-label.ts'
import { nameOf } from '../dockerfile/stage-graph.ts'
import { unusualModes } from '../git/file-modes.ts'
import { isCommitId } from '../git/git.ts'
import { REVISION_LABEL } from '../plan/labels.ts'
import type { Run } from '../plan/run-context.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import type { Build } from '../result/result.ts'
import type { Caches } from './cache-sources.ts'

/** Determines why steps of these builds were not cached, and adds the reasons to the builds. */
export async function explain(
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
    const published = await registry.published(build.cacheSource)
    const revision = published.image?.labels[REVISION_LABEL] ?? ''
    build.misses = explainMisses({
      ...{ stageBuild, build, published, executedStages, argumentNames, digests },
      cacheMetadata: plan.strategy.capabilities.cacheMetadata,
      reusesLayers: plan.strategy.capabilities.reusesLayers,
      keys: chainOfKeys(stageBuild, keys),
      engine: nameOfEngine(plan.engine),
      changed: isCommitId(revision) ? await changesSince(revision) : undefined,
      unusualModes: oddModes,
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
