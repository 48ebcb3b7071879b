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
  /** Set if FROM has a --platform of its own. */
  hasPlatform?: true
  /** The earlier stages that COPY --from and RUN --mount=from= name in this stage; sorted, each once. */
  copiesFrom: number[]
  /** The image outside the Dockerfile that FROM names, variables filled in; undefined for a stage, `scratch`, and what only the engine knows. */
  baseImage?: string
  /** What follows FROM, in order. */
  instructions: StageInstruction[]
  /** The line of FROM; lines count from 1. */
  startLine: number
  /** The last line of the stage's last instruction. */
  endLine: number
}

/** An instruction of a stage. FROM is none. */
export interface StageInstruction {
  /** In capitals: RUN, COPY, … */
  keyword: string
  /** On one line, single blanks between the words, without comments and the text of heredocs. */
  text: string
  /** Its first line; lines count from 1. */
  line: number
  /**
   * Paths that it reads from the build context, as written: the sources of COPY and ADD without --from, that of a
   * RUN --mount=type=bind without from. No URL and no heredoc.
   */
  contextSources: string[]
  /** Patterns of --exclude. */
  excludes: string[]
  /** The earlier stages that it copies from or mounts; sorted, each once. */
  copiesFrom: number[]
  /** The images outside the Dockerfile, or contexts, that it copies from or mounts, as written. */
  imagesFrom: string[]
  /** Whether it may hold a variable. */
  hasVariable: boolean
}

export interface Dockerfile {
  text: string
  /** How many ARGs come before the first FROM. */
  globalArgs: number
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
  const lines = splitLines(text)
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
      found.push(...featuresOf(instruction))
      if (stages.length > 0) found.push(...args.automaticIn(instruction).map((name) => `ARG ${name}`))
    }
    const stage = stages.at(-1)
    if (stage && !(instruction instanceof From)) {
      const earlier = stages.slice(0, -1)
      // a trigger is no copying of this stage
      const references = instruction instanceof Onbuild ? [] : referencesOf(instruction)
      const copiesFrom = references.flatMap((name) => findEarlier(earlier, name) ?? [])
      stage.copiesFrom.push(...copiesFrom)
      const own = lines.slice(line - 1, lastLineOf(instruction))
      const heredocs = lines.slice(lastLineOf(instruction), source.heredocEnds.get(line) ?? 0)
      stage.instructions.push({
        ...newInstruction(instruction, logicalLineOf(own, source.escapeChar), heredocs.join('')),
        copiesFrom: ascending(copiesFrom),
        imagesFrom: references.filter((name) => name !== '' && findEarlier(earlier, name) === undefined)
      })
    }
    if (stage) stage.endLine = source.heredocEnds.get(line) ?? lastLineOf(instruction)
    features.push(...[...new Set(found)].map((what) => ({ what, line })))
  }
  for (const stage of stages) stage.copiesFrom = ascending(stage.copiesFrom)
  return {
    text,
    globalArgs: first,
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

/** The names of the stages for people, in order; a number where there is none. */
export function listStages({ stages }: Dockerfile): string {
  return stages.map(({ name, index }) => name ?? String(index)).join(', ')
}

/**
 * Indices of all stages that building `target` needs, `target` included, sorted.
 *
 * @param images stages that are there already: needed themselves, but nothing on their behalf
 */
export function stagesNeededFor(
  dockerfile: Dockerfile,
  target: Stage,
  images: { has(index: number): boolean } = new Set()
): number[] {
  const needed = new Set([target.index])
  // a set may grow while it is walked through
  for (const index of needed) {
    const stage = dockerfile.stages[index]
    if (stage === undefined || images.has(index)) continue
    for (const edge of [stage.baseStage ?? [], stage.copiesFrom].flat()) needed.add(edge)
  }
  return ascending(needed)
}

/** All stages that building any of `targets` needs, in the order of the file. */
export function neededStages(dockerfile: Dockerfile, targets: readonly Stage[]): Stage[] {
  const needed = new Set(targets.flatMap((target) => stagesNeededFor(dockerfile, target)))
  return dockerfile.stages.filter(({ index }) => needed.has(index))
}

/** The images outside the Dockerfile that building any of `targets` reads, each once: bases, and what is copied from or mounted. */
export function imagesNeededFor(dockerfile: Dockerfile, targets: readonly Stage[]): string[] {
  const images = neededStages(dockerfile, targets).flatMap(({ baseImage, instructions }) => [
    ...(baseImage === undefined ? [] : [baseImage]),
    ...instructions.flatMap(({ imagesFrom }) => imagesFrom)
  ])
  return [...new Set(images)]
}

/**
 * The Dockerfile whose last stage is `target`, and in which every stage of `images` is one line `FROM image AS name`. Empty
 * lines stand in for the others, so that every stage keeps its number and every line too.
 *
 * The legacy builder builds all stages up to the target, needed or not (legacy: builder.go, build); so the ones before
 * `target` that it does not need become such a line as well. All else stays byte for byte.
 *
 * `--platform` of a stage stays, for its image is of that platform. The ONBUILD triggers of a stage are in the image, and
 * run where it is named.
 *
 * @param images references to images, by the index of the stage that each stands for; not the name of a stage
 * @throws DockerfileError if a reference is none
 */
export function rewriteDockerfile(dockerfile: Dockerfile, target: Stage, images: ReadonlyMap<number, string>): string {
  for (const [index, image] of images) checkImage(dockerfile, index, image)
  if (images.has(target.index)) throw new DockerfileError('The stage to build cannot be replaced by an image')
  const needed = stagesNeededFor(dockerfile, target, images)
  // what it names may be any stage before it
  const unknown = needed.filter((index) => !images.has(index) && dockerfile.stages[index]?.baseUnknown)
  const keep = new Set([...needed, ...Array(Math.max(0, ...unknown)).keys()])
  const froms = read(dockerfile.text).instructions.filter((instruction) => instruction instanceof From)
  const taken = [...images].map(([index, image]) => ({
    index,
    words: [...(froms[index]?.getFlags().map(String) ?? []), image]
  }))
  const standIn = taken[0]?.words ?? ['scratch']

  const lines = splitLines(dockerfile.text)
  for (const [index, from] of froms.entries()) {
    const stage = dockerfile.stages[index]
    const words = taken.find((other) => other.index === index)?.words ?? (keep.has(index) ? undefined : standIn)
    if (!stage || index >= target.index || words === undefined) continue
    const name = stageNameOf(from)
    const replacement = ['FROM', ...words, ...(name === undefined ? [] : ['AS', name])].join(' ')
    const before = lines[stage.startLine - 1]?.slice(0, from.getRange().start.character) ?? ''
    for (let line = stage.startLine; line <= stage.endLine; line++) {
      const lineEnd = /\r?\n?$/.exec(lines[line - 1] ?? '')?.[0] ?? ''
      lines[line - 1] = line === stage.startLine ? before + replacement + lineEnd : lineEnd
    }
  }
  return lines.slice(0, target.endLine).join('')
}

function checkImage({ stages }: Dockerfile, index: number, image: string): void {
  // a flag, a variable, or two words would be another instruction
  if (!/^[^\s'"`\\$-][^\s'"`\\$]*$/.test(image)) {
    throw new DockerfileError(`Stage ${index} cannot be replaced by ${JSON.stringify(image)}: that is no image`)
  }
  if (stages.some(({ name }) => name === image.toLowerCase())) {
    throw new DockerfileError(`Stage ${index} cannot be replaced by ${image}: a stage of the Dockerfile has that name`)
  }
}

/**
 * The instruction that a step of BuildKit is. Of a stage it counts FROM, unless that names a stage or scratch, and then
 * each ADD, COPY, RUN and WORKDIR but `WORKDIR /` (bk: dockerfile2llb/convert.go, prefixCommand and dispatchWorkdir).
 * Triggers of the base image come before them and a named context has no FROM: where the number is that of another
 * instruction, the text tells, if it is one of a kind.
 *
 * @param text the step without its number: `RUN npm ci`
 */
export function instructionOfBuildKitStep(stage: Stage, number: number, text: string): StageInstruction | undefined {
  const executed = stage.instructions.filter(
    ({ keyword, text }) => ['ADD', 'COPY', 'RUN', 'WORKDIR'].includes(keyword) && bare(text) !== 'WORKDIR/'
  )
  const isFromCounted = stage.baseImage !== undefined || stage.baseUnknown === true
  const instruction = executed[number - (isFromCounted ? 2 : 1)]
  if (instruction && isStep(instruction, text)) return instruction
  const alike = executed.filter((other) => isStep(other, text))
  return alike.length === 1 && !alike[0]?.hasVariable ? alike[0] : undefined
}

/**
 * The instruction that a step of the legacy builder is. It counts every instruction of the file, FROM and the ARGs before
 * the first one included (legacy: builder.go, printCommand).
 *
 * @param dockerfile what was built, as it was given to the builder
 * @param text the step without its number: `RUN npm ci`
 */
export function instructionOfLegacyStep(
  dockerfile: Dockerfile,
  number: number,
  text: string
): { stage: Stage; instruction: StageInstruction } | undefined {
  let next = dockerfile.globalArgs + 1
  for (const stage of dockerfile.stages) {
    const instruction = stage.instructions[number - next - 1]
    if (number > next && instruction) return isStep(instruction, text) ? { stage, instruction } : undefined
    next += stage.instructions.length + 1
  }
  return undefined
}

/** A builder fills variables in, drops quotes and escapes, and shows the beginning of a heredoc after the instruction. */
function isStep({ keyword, text }: StageInstruction, step: string): boolean {
  const [word = ''] = step.trim().split(/\s/)
  if (word.toUpperCase() !== keyword) return false
  const own = bare(text.slice(keyword.length))
  const other = bare(step.trim().slice(word.length))
  const [known = ''] = own.split('$')
  return own.includes('$') || own.includes('<<') ? other.startsWith(known) : other === own
}

function bare(text: string): string {
  return text.replaceAll(/[\s'"\\`]/g, '')
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
    ...(baseStage === undefined && image !== undefined && image !== 'scratch' && { baseImage: image }),
    ...(from.getPlatformFlag() !== null && { hasPlatform: true as const }),
    copiesFrom: [],
    instructions: [],
    startLine: from.getRange().start.line + 1,
    endLine: lastLineOf(from)
  }
}

/** @param line all of it on one line, as it is in the file: the library has a copy, see `plainLines` */
function newInstruction(
  instruction: Instruction,
  line: string,
  heredocs: string
): Omit<StageInstruction, 'copiesFrom' | 'imagesFrom'> {
  const keyword = instruction.getKeyword()
  const text = line.trim().replaceAll(/\s+/g, ' ')
  return {
    keyword,
    text: `${keyword}${text.slice(keyword.length)}`,
    line: instruction.getRange().start.line + 1,
    contextSources:
      instruction instanceof Onbuild
        ? contextSourcesOf(instruction.getTriggerInstruction(), line.trim().replace(/^onbuild\s+/i, ''))
        : contextSourcesOf(instruction, line.trim()),
    excludes: flagsOf(instruction)
      .filter((flag) => flag.getName() === 'exclude')
      .map((flag) => unquote(flag.getValue())),
    hasVariable: /\$[A-Za-z_{]/.test(text + heredocs)
  }
}

function contextSourcesOf(instruction: Instruction | null, line: string): string[] {
  if (instruction instanceof Run) {
    return flagsOf(instruction)
      .filter((flag) => flag.getName() === 'mount')
      .flatMap((flag) => {
        const options = new Map(
          flag.getOptions().map((option) => [unquote(option.getName()).toLowerCase(), unquote(option.getValue())])
        )
        if ((options.get('type') ?? 'bind').toLowerCase() !== 'bind' || options.get('from')) return []
        return [options.get('source') ?? options.get('src') ?? '.']
      })
  }
  if (!(instruction instanceof Copy || instruction instanceof Add)) return []
  if (flagsOf(instruction).some((flag) => flag.getName() === 'from' && unquote(flag.getValue()) !== '')) return []
  // the library drops blanks within JSON
  const sources = jsonOf(line)?.slice(0, -1) ?? sourcesOf(instruction).filter((source) => !source.includes(MARK))
  return sources.filter((source) => !isRemote(instruction, source))
}

/** The strings of `COPY ["a b", "c"]`. */
function jsonOf(line: string): string[] | undefined {
  const [, json] = /^\S+(?:\s+--\S+)*\s+(\[.*)$/s.exec(line) ?? []
  try {
    return json === undefined ? undefined : (JSON.parse(json) as string[])
  } catch {
    return undefined
  }
}

function isRemote(instruction: Instruction, source: string): boolean {
  return instruction instanceof Add && (/^https?:\/\//i.test(source) || isGit(source))
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

function sourcesOf(instruction: Add | Copy): string[] {
  const list = instruction.getJSONStrings().map((string) => string.getJSONValue())
  return (list.length > 0 ? list : instruction.getArguments().map((word) => unquote(word.getValue()))).slice(0, -1)
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

/** bk: parser/parser.go. Not getArgumentsContent(), which leaves indented comments in. */
function logicalLineOf(lines: string[], escapeChar: string): string {
  const continuation = escapeChar === '`' ? /(^|[^`])`[ \t]*$/ : /(^|[^\\])\\[ \t]*$/
  return lines
    .filter((line) => !line.trimStart().startsWith('#'))
    .map((line) => line.replace(/[\r\n]+$/, '').replace(continuation, '$1'))
    .join('')
}

/** The line of the last terminator; undefined if there are no heredocs, or one without a terminator. */
function endOfHeredocs(instruction: Instruction, escapeChar: string, lines: string[]): number | undefined {
  const command = instruction instanceof Onbuild ? instruction.getTriggerInstruction() : instruction
  if (LEGACY_FLAGS[command?.getKeyword() ?? ''] === undefined) return undefined

  const logicalLine = logicalLineOf(splitLines(instruction.getTextContent()), escapeChar)
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
