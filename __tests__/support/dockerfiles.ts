import { type Dockerfile, findStage, type Stage } from '../../src/dockerfile/model.ts'
import { parseDockerfile } from '../../src/dockerfile/parse.ts'
import { rewriteDockerfile } from '../../src/dockerfile/rewrite.ts'

export const IMAGE = 'registry.example:5000/octo/app:builder-6113728'

export function text(...lines: string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}

export function stageOf(dockerfile: Dockerfile, nameOrIndex: string | number): Stage {
  const stage = findStage(dockerfile, String(nameOrIndex))
  if (stage === undefined) throw new Error(`no stage ${nameOrIndex}`)
  return stage
}

/** `name(base stage; copies from) first-last line` of each stage. */
export function outline(source: string, buildArgs?: Record<string, string>): string[] {
  return parseDockerfile(source, buildArgs).stages.map(
    ({ name, baseStage, copiesFrom, startLine, endLine }) =>
      `${name ?? ''}(${baseStage ?? ''};${copiesFrom.join(',')}) ${startLine}-${endLine}`
  )
}

/** With one stage replaced. */
export function replace(dockerfile: Dockerfile, stage: Stage, image: string, target: Stage): string {
  return rewriteDockerfile(dockerfile, target, new Map([[stage.index, image]]))
}
