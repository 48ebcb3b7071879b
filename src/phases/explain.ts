import { type Changes, findChanges } from '../cache/changes.ts'
import { followLinks } from '../cache/context-files.ts'
import { explainMisses } from '../cache/reasons.ts'
import { unusualModes } from '../file-modes.ts'
import { REVISION_LABEL } from '../plan.ts'
import type { Build, Run } from '../run.ts'
import { baseImageOf, nameOf, type StageBuild } from '../stage-build.ts'
import { recordedBase, sameImage } from '../strategy/bases.ts'
import type { Strategy } from '../strategy/strategy.ts'

/** Finds out why steps of these builds were not cached, and puts it into the builds. */
export async function explain(run: Run, strategy: Strategy, builds: readonly Build[]): Promise<void> {
  const { plan, git, github } = run
  const { inputs, dockerfile, file } = plan
  const executedStages = new Set(
    builds.flatMap(({ steps }) => steps.filter(({ cached }) => !cached).map(({ stage }) => stage))
  )
  if (executedStages.size === 0) return

  const changes = new Map<string, Promise<Changes>>()
  const changesSince = (revision: string | undefined): Promise<Changes> | undefined => {
    if (revision === undefined) return undefined
    const found =
      changes.get(revision) ?? findChanges(git, github, revision, plan.build, { context: inputs.context, file })
    changes.set(revision, found)
    return found
  }
  const sources = dockerfile.stages.flatMap(({ instructions }) =>
    instructions.flatMap(({ contextSources }) => contextSources)
  )
  const [production, links, tracked] = await Promise.all([
    strategy.readPublished(plan.refs.movingProduction),
    followLinks(inputs.context, sources),
    git.tracked()
  ])
  const oddModes = unusualModes(inputs.context, tracked ?? [])

  const explainOne = async (build: Build, stageBuild: StageBuild): Promise<void> => {
    const [published, built] = await Promise.all([
      strategy.readPublished(build.cacheSource),
      build.imageId === '' ? undefined : strategy.readBuilt(build)
    ])
    const base = baseImageOf(stageBuild)
    build.misses = explainMisses({
      stageBuild,
      build,
      strategy: plan.strategy.name,
      published,
      built,
      base: {
        before: base === undefined ? undefined : recordedBase(production.image?.labels ?? {}, base),
        now: base === undefined ? undefined : build.bases.find(({ reference }) => sameImage(reference, base))?.digest
      },
      changes: await changesSince(published.image?.labels[REVISION_LABEL]),
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
