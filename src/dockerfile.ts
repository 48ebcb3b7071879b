/**
 * The stages of a Dockerfile and what each needs of the others, by the parser library dockerfile-ast.
 *
 * What docker does is cited as `bk:` github.com/moby/buildkit at 73ed682, folder frontend/dockerfile, and as `legacy:`
 * github.com/moby/moby at v20.10.24, folder builder/dockerfile and the parser vendored with it.
 */
import {
  Add,
  Arg,
  Copy,
  DockerfileParser,
  type Flag,
  From,
  type Instruction,
  ModifiableInstruction,
  Onbuild,
  Run
} from 'dockerfile-ast'

/** A Dockerfile without stages, or a stage that cannot be replaced. The message is one sentence. */
export class DockerfileError extends Error {
  override name = 'DockerfileError'
}

/** A stage of a multi-stage Dockerfile. */
export interface Stage {
  /** As in `COPY --from=0`. */
  index: number
  /** As written after AS, lower-cased: docker compares stage names without case (bk: instructions/parse.go). */
  name?: string
  /** What FROM names, verbatim; it may hold variables. */
  base: string
  /** Set if FROM holds a variable whose value only the engine knows (`FROM base-$TARGETARCH`). */
  baseUnknown?: true
  /** The earlier stage that FROM names, if it does. */
  baseStage?: number
  /** The earlier stages that COPY --from and RUN --mount=from= name in this stage; sorted, each once. */
  copiesFrom: number[]
  /** The line of FROM; lines count from 1. */
  startLine: number
  /** The last line of the stage's last instruction. */
  endLine: number
}

export interface Dockerfile {
  text: string
  stages: Stage[]
  /** The image that `# syntax=` names. */
  syntax?: string
  /** What the legacy builder cannot do, in words and with its line: `RUN --mount (line 7)`. */
  buildKitFeatures: string[]
}

/**
 * A name is looked up among the stages before the one that uses it, the last of that name first. In BuildKit a later
 * stage, or the stage itself, fails the build (bk: dockerfile2llb/convert.go, "it needs to be defined before current
 * stage"), and to the legacy builder it is an image (legacy: evaluator.go); so it is no edge. Nor is a variable in
 * `--from`, which neither expands (bk: toCommand). A number is an index, but not in FROM; that RUN --mount takes no
 * numbers either (bk: detectRunMount) is not told apart, since no image has such a name.
 *
 * @param buildArgs override the defaults of the ARGs before the first FROM, as `--build-arg` does. BuildKit's own ones
 *   (`TARGETARCH`) are unknown unless they are given here
 * @throws DockerfileError if there is no FROM
 */
export function parseDockerfile(text: string, buildArgs: Record<string, string> = {}): Dockerfile {
  const source = read(text)
  const first = source.instructions.findIndex((instruction) => instruction instanceof From)
  if (first === -1) throw new DockerfileError('The Dockerfile has no FROM instruction, so there is no stage to build')
  const args = globalArgs(source.instructions.slice(0, first), source.escapeChar, new Map(Object.entries(buildArgs)))

  const stages: Stage[] = []
  const triggers: string[][] = []
  const features: { what: string; line: number }[] = []
  for (const instruction of source.instructions) {
    const line = instruction.getRange().start.line + 1
    const found = source.heredocEnds.has(line) ? ['heredoc'] : []
    if (instruction instanceof From) {
      const stage = newStage(instruction, stages, args)
      const inherited = stage.baseStage === undefined ? [] : (triggers[stage.baseStage] ?? [])
      stage.copiesFrom = inherited.flatMap((reference) => findEarlier(stages, reference) ?? [])
      if (stage.name !== undefined && findEarlier(stages, stage.name) !== undefined) {
        // legacy: evaluator.go, checkStageNameAvailable
        found.push(`second stage named ${stage.name}`)
      }
      found.push(...args.automaticIn(instruction).map((name) => `$${name} in FROM`))
      stages.push(stage)
      triggers.push([])
    } else if (instruction instanceof Onbuild) {
      // runs in the stages whose FROM names this one (bk: resolveStages, legacy: initializeStage)
      const trigger = instruction.getTriggerInstruction()
      triggers.at(-1)?.push(...referencesOf(trigger))
      found.push(...featuresOf(trigger).map((what) => `ONBUILD ${what}`))
    } else {
      const earlier = stages.slice(0, -1)
      stages.at(-1)?.copiesFrom.push(...referencesOf(instruction).flatMap((name) => findEarlier(earlier, name) ?? []))
      found.push(...featuresOf(instruction))
      if (stages.length > 0) found.push(...args.automaticIn(instruction).map((name) => `ARG ${name}`))
    }
    const stage = stages.at(-1)
    if (stage) stage.endLine = source.heredocEnds.get(line) ?? lastLineOf(instruction)
    features.push(...[...new Set(found)].map((what) => ({ what, line })))
  }
  for (const stage of stages) stage.copiesFrom = ascending(stage.copiesFrom)
  return {
    text,
    stages,
    ...(source.syntax !== undefined && { syntax: source.syntax }),
    buildKitFeatures: features.map(({ what, line }) => `${what} (line ${line})`)
  }
}

/**
 * The last stage of that name, in any case, or the stage of that number. (To be built, a stage must have a name or be
 * the last: `docker build --target` takes no numbers; bk: resolveTarget, legacy: instructions/commands.go, HasStage.)
 */
export function findStage(dockerfile: Dockerfile, nameOrIndex: string): Stage | undefined {
  const index = findEarlier(dockerfile.stages, nameOrIndex)
  return index === undefined ? undefined : dockerfile.stages[index]
}

/**
 * Indices of all stages that building `target` needs, `target` included, sorted.
 *
 * @param stopAt a stage that is there already: itself needed, but nothing on its behalf
 */
export function stagesNeededFor(dockerfile: Dockerfile, target: Stage, stopAt?: Stage): number[] {
  const needed = new Set([target.index])
  // a set may grow while it is walked through
  for (const index of needed) {
    const stage = dockerfile.stages[index]
    if (stage === undefined || index === stopAt?.index) continue
    for (const edge of [stage.baseStage ?? [], stage.copiesFrom].flat()) needed.add(edge)
  }
  return ascending(needed)
}

/**
 * The Dockerfile in which `stage` is `image`: one line `FROM image AS name`, and empty lines in place of the others, so
 * that every stage keeps its number and every line too.
 *
 * The legacy builder builds all stages up to the target, needed or not (legacy: builder.go, build); so the ones before
 * `target` that only `stage` needed become such a line as well. All else stays byte for byte.
 *
 * `--platform` of `stage` stays, for `image` is of that platform. The ONBUILD triggers of `stage` are in the image, and
 * run where it is named.
 *
 * @param image a reference to an image; not the name of a stage
 * @throws DockerfileError if `image` is none
 */
export function replaceStage(dockerfile: Dockerfile, stage: Stage, image: string, target: Stage): string {
  // a flag, a variable, or two words would be another instruction
  if (!/^[^\s'"`\\$-][^\s'"`\\$]*$/.test(image)) {
    throw new DockerfileError(`The builder stage cannot be replaced by ${JSON.stringify(image)}: that is no image`)
  }
  if (dockerfile.stages.some(({ name }) => name === image.toLowerCase())) {
    throw new DockerfileError(
      `The builder stage cannot be replaced by ${image}: a stage of the Dockerfile has that name`
    )
  }
  const needed = stagesNeededFor(dockerfile, target, stage)
  // what it names may be any stage before it
  const unknown = needed.filter((index) => index !== stage.index && dockerfile.stages[index]?.baseUnknown)
  const keep = new Set([...needed, ...Array(Math.max(0, ...unknown)).keys()])

  const froms = read(dockerfile.text).instructions.filter((instruction) => instruction instanceof From)
  const flags = froms[stage.index]?.getFlags().map(String) ?? []
  const lines = splitLines(dockerfile.text)
  for (const [index, from] of froms.entries()) {
    if (index !== stage.index && (index >= target.index || keep.has(index))) continue
    const { startLine, endLine } = dockerfile.stages[index] ?? stage
    const name = stageNameOf(from)
    const replacement = ['FROM', ...flags, image, ...(name === undefined ? [] : ['AS', name])].join(' ')
    const before = lines[startLine - 1]?.slice(0, from.getRange().start.character) ?? ''
    for (let line = startLine; line <= endLine; line++) {
      const lineEnd = /\r?\n?$/.exec(lines[line - 1] ?? '')?.[0] ?? ''
      lines[line - 1] = line === startLine ? before + replacement + lineEnd : lineEnd
    }
  }
  return lines.join('')
}

function newStage(from: From, earlier: Stage[], args: GlobalArgs): Stage {
  const base = from.getArguments()[0]?.getValue() ?? ''
  const image = args.expand(base).value
  // FROM takes no numbers. Any case: BuildKit takes a base in another case for an image, but no image has capitals
  const baseStage = earlier.findLast(({ name }) => name !== undefined && name === image?.toLowerCase())?.index
  const name = stageNameOf(from)?.toLowerCase()
  return {
    index: earlier.length,
    ...(name !== undefined && { name }),
    base,
    ...(image === undefined && { baseUnknown: true as const }),
    ...(baseStage !== undefined && { baseStage }),
    copiesFrom: [],
    startLine: from.getRange().start.line + 1,
    endLine: lastLineOf(from)
  }
}

function findEarlier(stages: Stage[], nameOrIndex: string): number | undefined {
  if (/^\d+$/.test(nameOrIndex)) return stages[Number(nameOrIndex)]?.index
  return stages.findLast(({ name }) => name !== undefined && name === nameOrIndex.toLowerCase())?.index
}

/** As written. Not getBuildStage(), which returns a name broken by a continuation with its line end. */
function stageNameOf(from: From): string | undefined {
  const [, as, name] = from.getArguments().map((argument) => argument.getValue())
  return as?.toLowerCase() === 'as' ? name : undefined
}

/** To the library, an instruction that breaks off in a continuation ends on the empty line after the text. */
function lastLineOf(instruction: Instruction): number {
  const { start, end } = instruction.getRange()
  return end.character === 0 && end.line > start.line ? end.line : end.line + 1
}

function ascending(numbers: Iterable<number>): number[] {
  return [...new Set(numbers)].sort((a, b) => a - b)
}

/** What `--from` and the mounts of this instruction name: stages, images, named contexts. */
function referencesOf(instruction: Instruction | null): string[] {
  const named = (name: string) => flagsOf(instruction).filter((flag) => flag.getName() === name)
  if (instruction instanceof Copy) return named('from').map((flag) => unquote(flag.getValue()))
  if (!(instruction instanceof Run)) return []
  const options = named('mount').flatMap((flag) => flag.getOptions())
  const froms = options.filter((option) => unquote(option.getName()).toLowerCase() === 'from')
  return froms.map((option) => unquote(option.getValue()))
}

/** Docker drops quotes wherever they are in a flag (bk: parser/split_command.go); the library keeps them. */
function unquote(word: string | null): string {
  return (word ?? '').replaceAll(/["']/g, '')
}

/** The library also takes `--words` after the first word of a command for flags. */
function flagsOf(instruction: Instruction | null): Flag[] {
  if (!(instruction instanceof ModifiableInstruction)) return []
  const words = instruction.toString().split(' ').slice(1)
  const end = words.findIndex((word) => word === '--' || !word.startsWith('--'))
  return instruction.getFlags().slice(0, end === -1 ? words.length : end)
}

/**
 * The flags the legacy builder has: legacy: instructions/parse.go; dispatchers.go refuses RUN's flags and --chmod. From
 * Docker 23 on its parser takes --link, --checksum and so on, and then forgets them.
 */
const LEGACY_FLAGS: Record<string, string[]> = { ADD: ['chown'], COPY: ['chown', 'from'], RUN: [] }

function featuresOf(instruction: Instruction | null): string[] {
  const keyword = instruction?.getKeyword() ?? ''
  const allowed = LEGACY_FLAGS[keyword]
  if (allowed === undefined) return []
  const names = flagsOf(instruction).map((flag) => flag.getName())
  const features = names.filter((name) => !allowed.includes(name)).map((name) => `${keyword} --${name}`)
  if (instruction instanceof Add && sourcesOf(instruction).some(isGit)) features.push('ADD of a git repository')
  return features
}

function sourcesOf(add: Add): string[] {
  const list = add.getJSONStrings().map((string) => string.getJSONValue())
  return (list.length > 0 ? list : add.getArguments().map((word) => unquote(word.getValue()))).slice(0, -1)
}

/** bk: dfgitutil/git_ref.go, ParseGitRef. The legacy builder downloads such a page, or looks for such a file. */
function isGit(source: string): boolean {
  return /^(?:git|ssh):\/\/|^https?:\/\/[^?#]+\.git(?:[?#]|$)|^\w+@[\w.-]+:/i.test(source)
}

/** Only BuildKit gives these ARGs a value unasked (bk: dockerfile2llb/platform.go, defaultArgs). */
const AUTOMATIC_ARGS = ['PLATFORM', 'OS', 'OSVERSION', 'ARCH', 'VARIANT']
  .flatMap((what) => [`BUILD${what}`, `TARGET${what}`])
  .concat('TARGETSTAGE')

interface GlobalArgs {
  /** The word as docker sees it; undefined if that cannot be known here. `names` are the variables in it. */
  expand(word: string): { value: string | undefined; names: string[] }
  /** The automatic ARGs that a FROM uses, or that an ARG asks for, and that the legacy builder would leave empty. */
  automaticIn(instruction: Instruction): string[]
}

/** The ARGs before the first FROM (bk: buildMetaArgs, legacy: processMetaArg, buildargs.go). */
function globalArgs(instructions: Instruction[], escapeChar: string, buildArgs: Map<string, string>): GlobalArgs {
  const values = new Map([...buildArgs].filter(([name]) => AUTOMATIC_ARGS.includes(name)))
  const unknown = new Set(AUTOMATIC_ARGS.filter((name) => !values.has(name)))
  const declared = new Set<string>()

  const expand: GlobalArgs['expand'] = (word) => {
    const names: string[] = []
    const value = expandWord(word, escapeChar, (name) => {
      names.push(name)
      return values.get(name)
    })
    return { value: names.some((name) => unknown.has(name)) ? undefined : value, names }
  }

  for (const [name, word] of instructions.flatMap(wordsOfArg)) {
    const value = buildArgs.get(name) ?? (word === undefined ? undefined : expand(word).value)
    if (value !== undefined) {
      values.set(name, value)
      unknown.delete(name)
    } else if (word !== undefined) {
      unknown.add(name)
    }
    if (word !== undefined || buildArgs.has(name)) declared.add(name)
  }

  const unset = (name: string) => AUTOMATIC_ARGS.includes(name) && !declared.has(name)
  return {
    expand,
    automaticIn(instruction) {
      if (instruction instanceof From) {
        const words = [...instruction.getArguments(), ...flagsOf(instruction)].map((word) => word.getValue() ?? '')
        return words.flatMap((word) => expand(word).names).filter(unset)
      }
      const asked = wordsOfArg(instruction).filter(([name, word]) => word === undefined && !buildArgs.has(name))
      return asked.map(([name]) => name).filter(unset)
    }
  }
}

/** Name and default of each ARG in this instruction. Not getProperty(), which answers for a single one only. */
function wordsOfArg(instruction: Instruction): [name: string, value: string | undefined][] {
  if (!(instruction instanceof Arg)) return []
  return instruction.getPropertyArguments().map((argument) => {
    const [name = '', ...value] = argument.getValue().split('=')
    return [name, value.length > 0 ? value.join('=') : undefined]
  })
}

/**
 * Quotes, escapes and variables as in bk: shell/lex.go. (The library knows neither `${A-b}` nor `${A:-${B}}`.)
 *
 * @returns undefined for a form that is not known here, such as `${A#b}`
 */
function expandWord(
  word: string,
  escapeChar: string,
  lookUp: (name: string) => string | undefined
): string | undefined {
  let at = 0
  let known = true

  const take = (pattern: RegExp) => {
    const [match] = pattern.exec(word.slice(at)) ?? []
    at += match?.length ?? 0
    return match
  }

  const variable = (): string => {
    const braced = take(/^\{/)
    const name = take(/^(?:\d+|[A-Za-z_]\w*)/)
    if (name === undefined) {
      known &&= braced === undefined
      return '$'
    }
    const value = lookUp(name)
    if (braced === undefined || take(/^\}/)) return value ?? ''
    const modifier = take(/^:?[-+?]/)
    const other = upTo('}')
    const isSet = value !== undefined && !(modifier?.startsWith(':') && value === '')
    if (modifier?.endsWith('-')) return isSet ? value : other
    if (modifier?.endsWith('+')) return isSet ? other : ''
    known &&= modifier !== undefined && isSet
    return value ?? ''
  }

  const upTo = (stop: '"' | '}' | undefined): string => {
    let result = ''
    while (at < word.length && word[at] !== stop) {
      const char = word[at++] ?? ''
      if (char === escapeChar) {
        if (stop === '"' && !['"', '$', escapeChar].includes(word[at] ?? '')) result += escapeChar
        result += word[at++] ?? ''
      } else if (char === "'" && stop !== '"') {
        result += take(/^[^']*/)
        at++
      } else if (char === '"') {
        result += upTo('"')
      } else {
        result += char === '$' ? variable() : char
      }
    }
    at++
    return result
  }

  const result = upTo(undefined)
  return known ? result : undefined
}

interface Source {
  instructions: Instruction[]
  escapeChar: string
  syntax?: string
  /** By the line of an instruction, the last line of its heredocs; lines count from 1. */
  heredocEnds: Map<number, number>
}

/** Stands for `<<`, so that the library sees no heredocs; from the private use area of Unicode. */
const MARK = '\uE000'
/** A word with its quotes; heredocs may have blanks after `<<` (bk: shell/lex.go, processPossibleHeredoc). */
const WORD = new RegExp(`(?:${MARK}\\s*|[^\\s'"\\\\${MARK}]|\\\\[^]?|'[^']*'|"(?:\\\\[^]|[^"\\\\])*")+`, 'g')
const HEREDOC = new RegExp(`^\\d*${MARK}(-?)\\s*([^<${MARK}]+)$`)

/**
 * Parses a copy of the text in which what the library misreads is put in a way it does not. Lines stay what they are.
 * Heredocs are cut out: the library takes `<<` in quotes and JSON for one, but not `3<<EOF` or `<< EOF`.
 */
function read(text: string): Source {
  const lines = plainLines(text)
  const heredocEnds = new Map<number, number>()
  for (;;) {
    const parsed = DockerfileParser.parse(lines.join(''))
    const escapeChar = parsed.getEscapeCharacter()
    const instructions = parsed.getInstructions()
    const isCut = instructions.some((instruction) => {
      const { start, end } = instruction.getRange()
      if (heredocEnds.has(start.line + 1)) return false
      const heredocEnd = endOfHeredocs(instruction, escapeChar, lines)
      if (heredocEnd === undefined) return false
      heredocEnds.set(start.line + 1, heredocEnd)
      lines.fill('\n', end.line + 1, heredocEnd)
      return true
    })
    if (isCut) continue
    const syntax = parsed.getDirectives().find((directive) => directive.getName() === 'syntax')
    return { instructions, escapeChar, heredocEnds, ...(syntax && { syntax: syntax.getValue() }) }
  }
}

/** The line of the last terminator; undefined if there are no heredocs, or one without a terminator. */
function endOfHeredocs(instruction: Instruction, escapeChar: string, lines: string[]): number | undefined {
  const command = instruction instanceof Onbuild ? instruction.getTriggerInstruction() : instruction
  if (LEGACY_FLAGS[command?.getKeyword() ?? ''] === undefined) return undefined

  // not getArgumentsContent(), which leaves indented comments in
  const logicalLine = splitLines(instruction.getTextContent())
    .filter((line) => !line.trimStart().startsWith('#'))
    .map((line) => line.trimEnd())
    .map((line) => (line.endsWith(escapeChar) ? line.slice(0, -1) : line))
    .join('')
  // after a quote without its partner BuildKit sees no words at all
  if (logicalLine.replaceAll(WORD, '').trim() !== '') return undefined

  const heredocs = (logicalLine.match(WORD) ?? []).map((word) => HEREDOC.exec(word)).filter((match) => match !== null)
  let end = instruction.getRange().end.line + 1
  for (const [, dash, word = ''] of heredocs) {
    const name = word.replaceAll(/\\(.)|["']/g, '$1')
    const isEnd = (line: string) => line.replace(dash ? /^\t+/ : '', '').replace(/[\r\n]+$/, '') === name
    const offset = lines.slice(end).findIndex(isEnd)
    if (offset === -1) return undefined
    end += offset + 1
  }
  return heredocs.length > 0 ? end : undefined
}

/** bk: parser/directives.go. */
const DIRECTIVE = /^(\uFEFF?[ \t]*)#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(\S+)/

/** The lines for `read`, each with its line end. */
function plainLines(text: string): string[] {
  // a CR alone ends a line for the library, but is a blank for docker; the library does not know the other two at all
  const lines = splitLines(text.replaceAll(/\r(?!\n)|[\v\f]/g, ' ').replaceAll('<<', MARK))

  // of the directives, the library stops at blanks after a value, and does not stop at an unknown one
  for (const [index, line] of lines.entries()) {
    const [, before = '', name = '', value = ''] = DIRECTIVE.exec(line) ?? []
    const isDirective = ['check', 'escape', 'syntax'].includes(name.toLowerCase())
    lines[index] = isDirective ? `${before}#${name.toLowerCase()}=${value}\n` : line.replace(/^(\s*)#.*/, '$1#')
    if (!isDirective) break
  }

  // two escapes continue no line, but `a\ \` does (bk: parser/parser.go, lineContinuationRegex); not so in the library
  const escapeChar = DockerfileParser.parse(lines.join('')).getEscapeCharacter() === '`' ? '`' : '\\\\'
  const noContinuation = new RegExp(
    `(?<!${escapeChar})${escapeChar}{2,}(?=\\s*$)|${escapeChar}(?=[ \\t]+${escapeChar}\\s*$)`
  )
  return lines.map((line) => line.replace(noContinuation, '_'))
}

function splitLines(text: string): string[] {
  return text.split(/(?<=\n)/)
}
