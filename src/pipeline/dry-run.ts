import type { Secrets } from '../action/secrets.ts'
import { replayable } from '../docker/command-line.ts'
import type { Plan } from '../plan/plan.ts'
import { productionRefs } from '../plan/references.ts'
import { type StageBuild, splitAtBuilder } from '../plan/stage-builds.ts'
import { sameRepository } from '../registry/image-reference.ts'
import { buildCommands, commandsBeforehand } from '../strategy/preview.ts'
import { type Suite, suitesOf } from './suites.ts'
import { testArgs } from './test-args.ts'

/** Placeholders for values that only a run knows: its folder, and its ID. */
const FOLDER = 'TEMP'
const RUN_ID = 'RUN'

/**
 * Returns the docker commands of a successful run in order, as far as they are known beforehand: without digests of base images,
 * which the builds report, and without inspections. Tests and the builds after the builder stage run at the same time.
 */
export function previewCommands(plan: Plan, secrets: Secrets): string[] {
  const { refs, decision } = plan
  const suites = suitesOf(plan)
  const [untilBuilder, afterBuilder] = splitAtBuilder(plan.builds)
  const build = (stage: StageBuild): string[] => buildCommands(plan, stage, FOLDER)
  const candidates = plan.builds.flatMap(({ candidate }) => candidate ?? [])
  const further = productionRefs(refs).slice(1)
  const isTagged = (reference: string): boolean => sameRepository(reference, refs.production)
  const pushed = [
    ...(decision.push ? [refs.production, ...further.filter((reference) => !isTagged(reference))] : []),
    ...(decision.publish ? candidates : [])
  ]
  const moved = plan.builds.flatMap(({ moving, candidate, kind, reference }): [string, string][] =>
    moving === undefined ? [] : [[kind === 'production' ? reference : (candidate ?? moving), moving]]
  )
  const tagged = [
    ...(decision.push
      ? further.filter(isTagged).map((reference): [string, string] => [refs.production, reference])
      : []),
    ...(decision.publish ? moved : [])
  ]
  const commands = [
    ...commandsBeforehand(plan),
    ...untilBuilder.flatMap(build),
    ...testCommands(plan, suites.builder),
    ...afterBuilder.flatMap(build),
    ...testCommands(plan, suites.production),
    ...plan.inputs.checks.map(({ command }) => `# on the runner: ${command.replaceAll('\n', '; ')}`),
    ...pushed.map((reference) => replayable(['push', reference])),
    ...tagged.map(([from, to]) =>
      from === to ? replayable(['push', to]) : `# in the registry: ${from} also becomes ${to}`
    )
  ]
  return commands.map((command) => secrets.redact(command))
}

function testCommands({ inputs }: Plan, { image, tests, first }: Suite): string[] {
  return tests.map((test, index) =>
    replayable(testArgs(inputs, image, test, `shared-docker-layers-${RUN_ID}-test-${first + index}`, RUN_ID))
  )
}
