// `bk:` and `legacy:` cite the sources of docker that model.ts names.

import { bindingsOf } from './carried-args.ts'
import type { Dockerfile, Stage, StageInstruction } from './model.ts'
import { readRawInstructions } from './raw-instruction.ts'
import { chainOf, nameOf, neededStages, stageAt } from './stage-graph.ts'

/**
 * Returns what the legacy builder makes silently different from BuildKit, in the stages that a build of `targets` needs, each
 * with its line: `ARG A of stage builder in stage shop (line 7)`.
 *
 * - BuildKit hands the ARGs of a stage on to those that are built on it (bk: dispatchArg); the legacy builder forgets them
 *   (legacy: buildargs.go, ResetAllowed).
 * - With the legacy builder, ENV always hides an ARG of the same name; with BuildKit, the later of both counts.
 * - BuildKit makes the folder of WORKDIR for the user (bk: dispatchWorkdir), the legacy builder for root.
 * - HEALTHCHECK replaces an earlier one in BuildKit; in the legacy builder it keeps the options which it does not set.
 */
export function differencesOfBuilders(dockerfile: Dockerfile, targets: readonly Stage[]): string[] {
  const raw = readRawInstructions(dockerfile)
  const found = neededStages(dockerfile, targets).flatMap((stage) => {
    const below = stage.baseStage === undefined ? undefined : stageAt(dockerfile, stage.baseStage)
    const inherited = below ? bindingsOf(dockerfile, raw, below).filter(({ isArg }) => isArg) : []
    const user = stage.instructions.find(mayRead)
    const forgotten = user && inherited[0]
    const bindings = bindingsOf(dockerfile, raw, stage)
    const hidden = bindings.find(
      ({ name, isArg }) => isArg && bindings.some((other) => !other.isArg && other.name === name)
    )
    return [
      ...(forgotten && below
        ? [`ARG ${forgotten.name} of stage ${nameOf(below)} in stage ${nameOf(stage)} (line ${user.line})`]
        : []),
      ...(hidden ? [`ARG and ENV ${hidden.name} (line ${hidden.raw.line})`] : []),
      ...differencesOfConfig(dockerfile, stage)
    ]
  })
  return [...new Set(found)]
}

/** Returns whether an instruction may read a variable: what RUN executes can read all of them. */
function mayRead({ keyword, hasVariable }: StageInstruction): boolean {
  return keyword === 'RUN' || (hasVariable && keyword !== 'CMD' && keyword !== 'ENTRYPOINT')
}

function differencesOfConfig(dockerfile: Dockerfile, stage: Stage): string[] {
  const chain = chainOf(dockerfile, stage).flatMap((index) => stageAt(dockerfile, index).instructions)
  const user = chain.findIndex(({ keyword, text }) => keyword === 'USER' && !/^USER (?:root|0)(?::|$)/.test(text))
  const folder = user === -1 ? undefined : chain.slice(user).find(({ keyword }) => keyword === 'WORKDIR')
  const [, second] = chain.filter(({ keyword }) => keyword === 'HEALTHCHECK')
  return [
    ...(folder ? [`WORKDIR after USER (line ${folder.line})`] : []),
    ...(second ? [`a second HEALTHCHECK (line ${second.line})`] : [])
  ]
}
