import type { Secrets } from '../action/secrets.ts'
import { replayable } from '../docker/command-line.ts'
import type { Plan } from '../plan/plan.ts'
import { type StageBuild, splitAtBuilder } from '../plan/stage-builds.ts'
import { sameRepository } from '../registry/image-reference.ts'
import { inlineBuildArgs, inlineEnvironment } from '../strategy/inline.ts'
import { isLabelledAtOnce, LEGACY, labelArgs, legacyBuildArgs } from '../strategy/legacy.ts'
import { chooseSource } from '../strategy/strategy.ts'
import { testArgs } from './test-args.ts'

/** What only a run knows: the folder for its files, and its own name. */
const FOLDER = 'TEMP'
const RUN_ID = 'RUN'

/**
 * The docker commands of a run that goes well, in their order, as far as they can be known beforehand: not the digests of base
 * images, which the builder's build tells, nor what is only looked at. Tests and what follows the builder run at the same time.
 */
export function previewCommands(plan: Plan, secrets: Secrets): string[] {
  const { inputs, refs, decision } = plan
  const [untilBuilder, afterBuilder] = splitAtBuilder(plan.builds)
  const isLegacy = plan.strategy.name === 'legacy'
  const build = (stage: StageBuild): string[] => (isLegacy ? legacyBuild(plan, stage) : [inlineBuild(plan, stage)])
  const caches = [...new Set(plan.builds.map(({ cacheSource }) => cacheSource))]
  const candidates = plan.builds.flatMap(({ candidate }) => candidate ?? [])
  const isTagged = (reference: string): boolean => sameRepository(reference, refs.production)
  const pushed = [
    ...(decision.push ? [refs.production, ...refs.further.filter((reference) => !isTagged(reference))] : []),
    ...(decision.publish ? candidates : [])
  ]
  const moved = plan.builds.flatMap(({ moving, candidate, kind, reference }): [string, string][] =>
    moving === undefined ? [] : [[kind === 'production' ? reference : (candidate ?? moving), moving]]
  )
  const tagged = [
    ...(decision.push
      ? refs.further.filter(isTagged).map((reference): [string, string] => [refs.production, reference])
      : []),
    ...(decision.publish ? moved : [])
  ]
  const commands = [
    ...(isLegacy && plan.engine.store !== 'containerd' ? caches.map((cache) => replayable(['pull', cache])) : []),
    ...untilBuilder.flatMap(build),
    ...inputs.tests.map((command, index) =>
      replayable(testArgs(inputs, refs.builder, command, `shared-docker-layers-${RUN_ID}-test-${index + 1}`, RUN_ID))
    ),
    ...afterBuilder.flatMap(build),
    ...pushed.map((reference) => replayable(['push', reference])),
    ...tagged.map(([from, to]) =>
      from === to ? replayable(['push', to]) : `# in the registry: ${from} also becomes ${to}`
    )
  ]
  return commands.map((command) => secrets.redact(command))
}

function inlineBuild(plan: Plan, stage: StageBuild): string {
  const { cacheSource, labels } = stage
  const source = chooseSource(plan, FOLDER, stage, stage.images)
  const args = inlineBuildArgs(plan, stage, source, { cacheSource, labels, idFile: `${FOLDER}/id` })
  return replayable(args, inlineEnvironment(plan))
}

function legacyBuild(plan: Plan, stage: StageBuild): string[] {
  const atOnce = isLabelledAtOnce(stage)
  const idFile = `${FOLDER}/id`
  const source = chooseSource(plan, FOLDER, stage, stage.images, true)
  const cacheSource = plan.engine.store === 'containerd' ? undefined : stage.cacheSource
  const args = legacyBuildArgs(plan, stage, source, { cacheSource, labels: atOnce ? stage.labels : [], idFile })
  const label = replayable(labelArgs(stage, idFile), LEGACY, `FROM ${stage.name}, as just built\n`)
  return [replayable(args, LEGACY), ...(atOnce ? [] : [label])]
}
