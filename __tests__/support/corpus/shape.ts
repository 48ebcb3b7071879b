import type { Store } from '../../../testbed/index.ts'
import type { Files } from '../../../testbed/source-repository.ts'

/** What a commit can change; `commit` is what every commit changes. */
export type Kind = 'source' | 'dependencies' | 'tail' | 'commit'

/** The version of everything that a commit can change. */
export type State = Record<Kind, number>

/** A kind of Dockerfile, with sources that it builds. */
export interface Shape {
  name: string
  /** It is not played on engines that must use the legacy builder. */
  needsBuildKit?: true
  /** The Dockerfile; after `<--` at the end of a line, the changes that execute the instruction which begins there. */
  dockerfile: (base: string, state: State, store: Store) => string
  /** Files besides the Dockerfile, `package.json` and `src/main.txt`. */
  files?: (state: State) => Files
  /** Modes of files in the checkout. */
  modes?: Record<string, number>
  inputs?: (base: string, state: State) => Record<string, string>
}

/** An instruction of a shape's Dockerfile. */
export interface Instruction {
  /** As builders call it: `stage-N` where it has no name. */
  stage: string
  /** Its beginning: BuildKit shows variables by their values. */
  start: string
  changes: Kind[]
  /** Names of the stamps that it leaves. */
  stamps: string[]
}

const KEYWORD = /^(?:ADD|ARG|CMD|COPY|ENV|FROM|HEALTHCHECK|LABEL|ONBUILD|RUN|SHELL|WORKDIR)\b/

/** A command that leaves a stamp in the working directory, which no second execution would leave again, and what makes its layer worth fetching beforehand. */
export function stamp(name: string): string {
  return `head -c 30000 /dev/urandom > noise-${name} && head -c 16 /dev/urandom | md5sum > stamp-${name}`
}

/** Prints the stamps and what the sources say, all in the working directory. */
export const PRINT = 'CMD ["sh", "-c", "grep -H . stamp-* *.txt"]'

export function filesOf(shape: Shape, base: string, state: State, store: Store): Files {
  return {
    Dockerfile: shape
      .dockerfile(base, state, store)
      .trimStart()
      .replaceAll(/ +<--.*/g, ''),
    'package.json': `{ "name": "dependencies ${state.dependencies}" }\n`,
    'src/main.txt': `source ${state.source}\n`,
    ...shape.files?.(state)
  }
}

/** The instructions of all stages; those of ONBUILD belong to the stages built on theirs. */
export function instructionsOf(shape: Shape, base: string, state: State, store: Store): Instruction[] {
  const instructions: Instruction[] = []
  const triggers: Instruction[] = []
  let stage = ''
  let stages = 0
  let current: Instruction | undefined
  for (const line of shape.dockerfile(base, state, store).split('\n')) {
    const [text = '', marks = ''] = line.split('<--')
    const [, from, name] = /^FROM (\S+)(?: AS (\S+))?/.exec(text) ?? []
    if (from !== undefined) {
      stage = name ?? `stage-${stages}`
      stages++
      instructions.push(
        ...triggers.filter((trigger) => trigger.stage === from).map((trigger) => ({ ...trigger, stage }))
      )
    } else if (KEYWORD.test(text)) {
      const changes = marks.split(' ').filter((word) => word !== '') as Kind[]
      current = { stage, start: text.replace('ONBUILD ', '').trim(), changes, stamps: [] }
      if (text.startsWith('ONBUILD')) triggers.push(current)
      else instructions.push(current)
    } else if (current?.start.endsWith('\\') && !/^\s*(?:#|$)/.test(text)) {
      current.start = `${current.start.slice(0, -1)}${text.trim()}`
    }
    const stampName = /> stamp-([\w-]+)/.exec(text)?.[1]
    if (stampName !== undefined) current?.stamps.push(stampName)
  }
  return instructions.map((instruction) => ({ ...instruction, start: plain(instruction.start.replace(/\$.*/, '')) }))
}

/** Without what differs between builders: how they join lines. */
export function plain(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}
