import { explainMisses } from '../cache/explain-miss.ts'
import { followLinks } from '../dockerfile/context-files.ts'
import { nameOf } from '../dockerfile/stage-graph.ts'
import { unusualModes } from '../git/file-modes.ts'
import { REVISION_LABEL } from '../plan/labels.ts'
import type { Run } from '../plan/run-context.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import type { Build } from '../result/result.ts'
import { recordedBase, sameImage } from '../strategy/base-images.ts'
import type { Strategy } from '../strategy/strategy.ts'

/** Determines why steps of these builds were not cached, and adds the reasons to the builds. */
export async function explain(
  run: Pick<Run, 'plan' | 'registry' | 'git' | 'changesSince'>,
  strategy: Strategy,
  builds: readonly Build[]
): Promise<void> {
  const { plan, git, changesSince, registry } = run
  const { inputs, dockerfile } = plan
  const executedStages = new Set(
    builds.flatMap(({ steps }) => steps.filter(({ cached }) => !cached).map(({ stage }) => stage))
  )
  if (executedStages.size === 0) return

  const sources = dockerfile.stages.flatMap(({ instructions }) =>
    instructions.flatMap(({ contextSources }) => contextSources)
  )
  const [production, links, tracked] = await Promise.all([
    registry.published(plan.refs.movingProduction),
    followLinks(inputs.context, sources),
    git.tracked()
  ])
  const oddModes = unusualModes(inputs.context, tracked ?? [])

  const explainOne = async (build: Build, stageBuild: StageBuild): Promise<void> => {
    const [published, built] = await Promise.all([
      registry.published(build.cacheSource),
      build.imageId === '' ? undefined : strategy.readBuilt(build)
    ])
    const base = stageBuild.baseImage
    const revision = published.image?.labels[REVISION_LABEL]
    build.misses = explainMisses({
      stageBuild,
      build,
      cacheMetadata: plan.strategy.capabilities.cacheMetadata,
      reusesLayers: plan.strategy.capabilities.reusesLayers,
      published,
      built,
      base: {
        before: base === undefined ? undefined : recordedBase(production.image?.labels ?? {}, base),
        now: base === undefined ? undefined : build.bases.find(({ reference }) => sameImage(reference, base))?.digest
      },
      changes: revision === undefined ? undefined : await changesSince(revision),
      dockerignore: plan.dockerignore,
      links,
      unusualModes: oddModes,
      executedStages,
      stageNames: dockerfile.stages.map(nameOf),
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
