import { type Dockerfile, findEarlier } from '../dockerfile/model.ts'
import {
  jsonStrings,
  type RawDockerfile,
  type RawInstruction,
  readRawInstructions,
  triggerIn
} from '../dockerfile/raw-instruction.ts'
import { stageAt, TRIGGER_LINE } from '../dockerfile/stage-graph.ts'
import { copyParts, workdirParts } from './copy-parts.ts'
import type { ImageIdentity, Ingredient, InstructionKey, KeyFacts, StageKeys } from './key-types.ts'
import { runParts } from './run-parts.ts'
import { formatPlatform, globalScope, StageScope } from './stage-scope.ts'
import { type Outside, type StepParts, sha256 } from './step-parts.ts'

interface BuiltStage {
  keys: StageKeys
  scope: StageScope
  /** Key after the last instruction. */
  last: string | undefined
  /** What else determines the image; undefined if it cannot be known. */
  config: unknown[] | undefined
  /** Its ONBUILD instructions. */
  triggers: RawInstruction[]
}

export class KeyBuilder {
  readonly #dockerfile: Dockerfile
  readonly #facts: KeyFacts
  readonly #raw: RawDockerfile
  readonly #globals: StageScope
  readonly #stages = new Map<number, BuiltStage>()

  constructor(dockerfile: Dockerfile, facts: KeyFacts) {
    this.#dockerfile = dockerfile
    this.#facts = facts
    this.#raw = readRawInstructions(dockerfile)
    const args = [...this.#raw.instructions.values()].slice(0, dockerfile.globalArgs)
    this.#globals = globalScope(args, this.#raw.escapeChar, facts)
  }

  keys(): Map<number, StageKeys> {
    const stages = [...this.#stages].sort(([a], [b]) => a - b)
    return new Map(stages.map(([index, { keys }]) => [index, keys]))
  }

  stage(index: number): BuiltStage {
    const known = this.#stages.get(index)
    if (known) return known
    const built = this.#build(index)
    this.#stages.set(index, built)
    return built
  }

  #build(index: number): BuiltStage {
    const stage = stageAt(this.#dockerfile, index)
    const { base, scope, config, inherited } = this.#base(index)
    const own = stage.instructions.flatMap(({ line }) => this.#raw.instructions.get(line) ?? [])
    const triggers = inherited.map((one) => ({ ...triggerIn(one, this.#raw.escapeChar), line: TRIGGER_LINE }))
    const built: BuiltStage = {
      keys: { stage: index, base, instructions: [], image: undefined },
      scope,
      last: base.key,
      config,
      triggers: own.filter(({ keyword }) => keyword === 'ONBUILD')
    }
    const outside: Outside = {
      buildArgs: this.#facts.buildArgs,
      runOptions: this.#facts.runOptions,
      take: (selection) => this.#facts.context.take(selection),
      from: (name) => this.#from(index, name)
    }
    for (const raw of [...triggers, ...own]) this.#execute(raw, built, outside)
    const isKnown = built.last !== undefined && built.config !== undefined
    built.keys.image = isKnown ? sha256(['image', built.last, built.config]) : undefined
    return built
  }

  #base(index: number): Pick<BuiltStage, 'scope' | 'config'> & { base: InstructionKey; inherited: RawInstruction[] } {
    const { startLine, base: word } = stageAt(this.#dockerfile, index)
    const escapeChar = this.#raw.escapeChar
    const from = (key: string | undefined, readsOutside: boolean, ingredients: Ingredient[]): InstructionKey => {
      return { line: startLine, keyword: 'FROM', key, isStep: false, readsOutside, ingredients, files: [] }
    }
    const { value: name, names } = this.#globals.expand(word)
    const isInput = names.some((one) => this.#globals.get(one)?.isInput)
    const platform = this.#facts.platform && formatPlatform(this.#facts.platform)
    const earlier = this.#dockerfile.stages.slice(0, index).findLast((one) => one.name === name?.toLowerCase())
    if (!this.#isOwnPlatform(startLine) || name === undefined) {
      return {
        base: from(undefined, true, []),
        scope: StageScope.ofImage(escapeChar, undefined),
        config: undefined,
        inherited: []
      }
    }
    if (earlier?.name !== undefined) {
      const { last, scope, config, triggers } = this.stage(earlier.index)
      const ingredients: Ingredient[] = last === undefined ? [] : [{ kind: 'stage', name, hash: last.slice(0, 8) }]
      return { base: from(last, isInput, ingredients), scope: scope.fork(), config, inherited: triggers }
    }
    const named = this.#facts.namedContext?.(name)
    if (named === 'folder' || named === 'other') {
      return {
        base: from(undefined, true, []),
        scope: StageScope.ofImage(escapeChar, undefined),
        config: undefined,
        inherited: []
      }
    }
    const isScratch = name === 'scratch' && named === undefined
    const empty: ImageIdentity = {
      identity: '',
      hasTriggers: false,
      config: { env: [], user: '', workdir: '', shell: undefined }
    }
    const image = isScratch ? empty : this.#facts.images.get(name)
    const isKnown = image !== undefined && !image.hasTriggers && platform !== undefined
    const identity = this.#facts.chainsConfig ? image?.identity : (image?.layers ?? image?.identity)
    const key = isKnown ? sha256(['base', identity, platform]) : undefined
    const ingredients: Ingredient[] = isKnown
      ? [
          { kind: 'base', name, hash: sha256(identity).slice(0, 8) },
          { kind: 'platform', name: platform, hash: sha256(platform).slice(0, 8) }
        ]
      : []
    return {
      base: from(key, !isScratch || isInput, ingredients),
      scope: StageScope.ofImage(escapeChar, image?.config),
      config: isKnown ? [image.identity, platform] : undefined,
      inherited: []
    }
  }

  /** Whether FROM has no other --platform than the build: the identity of an image is that of the build's platform. */
  #isOwnPlatform(line: number): boolean {
    const flag = this.#raw.instructions.get(line)?.flags.find((one) => one.startsWith('--platform='))
    if (flag === undefined) return true
    const { value } = this.#globals.expand(flag.slice('--platform='.length))
    const { platform } = this.#facts
    return (
      platform !== undefined &&
      (value === formatPlatform(platform) || value === `${platform.os}/${platform.architecture}`)
    )
  }

  #from(index: number, name: string): ReturnType<Outside['from']> {
    const stage = findEarlier(this.#dockerfile.stages.slice(0, index), name)
    if (stage !== undefined) return { kind: 'stage', key: this.stage(stage).last }
    const named = this.#facts.namedContext?.(name)
    if (named === 'folder') return { kind: 'folder' }
    const image = named === 'other' ? undefined : this.#facts.images.get(name)
    return { kind: 'image', key: image?.layers ?? image?.identity }
  }

  #execute(raw: RawInstruction, built: BuiltStage, outside: Outside): void {
    const { keyword, line } = raw
    const { scope } = built
    const isChained = this.#facts.chainsConfig
    const step = this.#stepParts(raw, scope, outside)
    const isStep = isChained || (step !== undefined && !(keyword === 'WORKDIR' && scope.workdir === '/'))
    const config = step === undefined ? configParts(raw, scope) : undefined
    const { parts, ingredients, readsOutside, files } = step ?? { ...NOTHING, ...(isChained && config) }
    if (config && keyword !== 'ARG') {
      built.config = config.parts && built.config && [...built.config, config.parts]
    } else if (keyword === 'WORKDIR') {
      built.config = built.config && [...built.config, [keyword, scope.workdir ?? null]]
    }
    if (isStep) built.last = built.last !== undefined && parts !== undefined ? sha256([built.last, parts]) : undefined
    if (!this.#change(raw, scope)) built.last = undefined
    built.keys.instructions.push({ line, keyword, key: built.last, isStep, readsOutside, ingredients, files })
  }

  #stepParts(raw: RawInstruction, scope: StageScope, outside: Outside): StepParts | undefined {
    if (raw.keyword === 'RUN') return runParts(raw, scope, outside)
    if (raw.keyword === 'COPY' || raw.keyword === 'ADD') return copyParts(raw, scope, outside)
    return raw.keyword === 'WORKDIR' ? workdirParts(raw, scope, outside) : undefined
  }

  /** Changes the scope for later instructions. Returns whether the change is known. */
  #change(raw: RawInstruction, scope: StageScope): boolean {
    if (raw.keyword === 'ARG') scope.declare(raw, this.#facts.buildArgs, this.#globals.variables)
    else if (raw.keyword === 'ENV') scope.setEnv(raw)
    else if (raw.keyword === 'USER') scope.user = scope.expand(raw.rest).value
    else if (raw.keyword === 'SHELL') scope.shell = jsonStrings(raw.rest)
    else return true
    return (
      (raw.keyword !== 'USER' || scope.user !== undefined) && (raw.keyword !== 'SHELL' || scope.shell !== undefined)
    )
  }
}

const NOTHING: StepParts = { parts: [], ingredients: [], readsOutside: false, files: [] }

/** Instructions whose text docker takes as it is. */
const VERBATIM = ['CMD', 'ENTRYPOINT', 'HEALTHCHECK', 'SHELL', 'ONBUILD', 'MAINTAINER']

/** What identifies an instruction that only changes the configuration. */
function configParts(raw: RawInstruction, scope: StageScope): StepParts {
  const names = VERBATIM.includes(raw.keyword) ? [] : scope.expand(raw.rest).names
  const values = names.map((name) => [name, scope.get(name)?.value ?? null])
  const hash = sha256([raw.keyword, raw.flags, raw.rest, values])
  return {
    ...NOTHING,
    parts: scope.isKnown(names) ? [hash] : undefined,
    ingredients: [{ kind: 'instruction', hash: hash.slice(0, 8) }]
  }
}
