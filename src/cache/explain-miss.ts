import { takenFrom } from '../dockerfile/context-files.ts'
import type { StageInstruction } from '../dockerfile/model.ts'
import { TRIGGER_LINE } from '../dockerfile/stage-graph.ts'
import type { Changes } from '../git/changes.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import type { ImageRecord, ReadImage } from '../registry/image.ts'
import type { Build, Miss, MissKind, Step } from '../result/result.ts'
import { keywordOf, layersBelow, ownHistoryStart, whyNoCache } from './cached-layers.ts'

/** All that is known about a build whose steps were not all cached. */
export interface Evidence {
  stageBuild: StageBuild
  build: Build
  /** Whether an image serves as a cache by its cache metadata. */
  cacheMetadata: boolean
  /** What is published where the build looked for its cache. */
  published: ReadImage
  /** The image that was built; undefined if the build failed. */
  built: ReadImage | undefined
  /** The digest of the base image in the published build, and in this one, where they are known. */
  base: { before: string | undefined; now: string | undefined }
  /** What differs from the commit of the published image; undefined if it names none. */
  changes: Changes | undefined
  dockerignore: string
  /** Where sources of the instructions lead that are links: paths below the build context. */
  links: ReadonlyMap<string, string[]>
  /** Tracked files whose modes are not those of a usual checkout. */
  unusualModes: readonly { path: string; mode: string }[]
  /** Names of the stages of which this run executed a step. */
  executedStages: ReadonlySet<string>
  /** Names of the stages, by index. */
  stageNames: readonly string[]
  /** Whether every stage that others copy from is published. */
  publishesAllStages: boolean
}

interface Reason {
  kind: MissKind
  reason: string
  unexpected?: boolean
}

/** Says why the first executed step of each stage was not cached. What cannot be proven is `unknown`. */
export function explainMisses(evidence: Evidence): Miss[] {
  const executed = evidence.build.steps.filter(({ cached }) => !cached)
  const stages = [...new Set(executed.map(({ stage }) => stage))]
  return stages.flatMap((name) => {
    const step = executed.find(({ stage }) => stage === name)
    if (!step) return []
    const { kind, reason, unexpected = false } = explain(evidence, step)
    const { stage, instruction, line } = step
    return [{ stage, instruction, ...(line === undefined ? {} : { line }), kind, reason, unexpected }]
  })
}

function explain(evidence: Evidence, step: Step): Reason {
  return whyNoSource(evidence) ?? whyNotInImage(evidence, step) ?? compare(evidence, step)
}

/** Reasons for which nothing at all could be reused. */
function whyNoSource({ build, published, cacheMetadata }: Evidence): Reason | undefined {
  const { cacheSource, unreadableCaches } = build
  // a status of the registry tells more than the builder's words
  const failure = published.failure ?? unreadableCaches[0]?.failure
  switch (failure?.kind) {
    case undefined:
      break
    case 'absent':
      return { kind: 'not-published', reason: `Nothing is published as ${cacheSource} yet.` }
    case 'refused':
      return { kind: 'refused', reason: `Access denied to ${cacheSource}.` }
    case 'unreachable':
      return { kind: 'unreachable', reason: `The registry could not be reached for ${cacheSource}.` }
    default:
      return { kind: 'unknown', reason: `Unknown: ${cacheSource} could not be inspected (${failure?.message}).` }
  }
  if (cacheMetadata && published.image?.recorded === undefined) {
    return {
      kind: 'no-metadata',
      reason: `${cacheSource} carries no cache metadata: something else than this action pushed it, or a build of this action without BuildKit.`
    }
  }
  if (!cacheMetadata && published.image?.history.some(({ createdBy }) => createdBy.endsWith('# buildkit'))) {
    return {
      kind: 'no-metadata',
      reason: `${cacheSource} was built by BuildKit, whose images are no cache for the legacy builder.`
    }
  }
  return undefined
}

/** Reasons that lie in another stage. */
function whyNotInImage({ stageBuild, build, publishesAllStages }: Evidence, step: Step): Reason | undefined {
  const names = stageBuild.own.map(({ name }) => name)
  const place = names.indexOf(step.stage)
  if (place === -1) {
    return publishesAllStages
      ? { kind: 'unknown', reason: 'It is not known: the stage is in no image that this run builds by itself.' }
      : { kind: 'not-published', reason: 'The stage is in no published image: the input cache-stages leaves it out.' }
  }
  const below = names
    .slice(0, place)
    .findLast((name) => build.steps.some(({ stage, cached }) => stage === name && !cached))
  return below === undefined
    ? undefined
    : { kind: 'stage-changed', reason: `It is built on stage ${below}, of which a step was executed.` }
}

/** Compares what was built with what is published: from the base image up to the step. */
function compare(evidence: Evidence, step: Step): Reason {
  const { stageBuild, published } = evidence
  const built = evidence.built?.image
  if (evidence.built?.failure) {
    return {
      kind: 'unknown',
      reason: `Unknown: the image that was built could not be inspected (${evidence.built.failure.message}).`
    }
  }
  if (!built) return { kind: 'unknown', reason: 'It is not known: the build failed, so there is nothing to compare.' }
  const own = stageBuild.instructions
  const start = ownHistoryStart(built, stageBuild)
  const index = own.findIndex((instruction) =>
    step.line === undefined ? isTrigger(instruction, step) : instruction.line === step.line
  )
  const instruction = own[index]
  if (start === undefined || !instruction || !published.image) {
    return { kind: 'unknown', reason: 'It is not known: the step cannot be told from the history of the image.' }
  }
  return (
    whyOtherBase(evidence, published.image, built, start) ??
    whyOtherInstruction(evidence, published.image, built, start, own.slice(0, index + 1)) ??
    whyOtherInputs(evidence, published.image, built, start, own.slice(0, index + 1))
  )
}

/** BuildKit shows the trigger of a base as `ONBUILD COPY a b`, Docker 26.1's as `COPY a b`. */
function isTrigger({ line, text }: StageInstruction, { instruction }: Step): boolean {
  const shown = instruction.trim().replaceAll(/\s+/g, ' ')
  return line === TRIGGER_LINE && shown.replace(/^ONBUILD /, '') === text
}

function whyOtherBase(
  { stageBuild, base, executedStages }: Evidence,
  published: ImageRecord,
  built: ImageRecord,
  start: number
): Reason | undefined {
  const sameHistory = built.history
    .slice(0, start)
    .every(({ createdBy }, index) => createdBy === published.history[index]?.createdBy)
  // the history in an engine does not tell which entries made layers: then only the lowest layer is sure to be the base's
  const isKnown = published.history.every(({ empty }) => empty !== undefined)
  const layers = isKnown ? layersBelow(published, start) : Math.min(start, 1)
  const sameLayers = published.layers.slice(0, layers).every((layer, index) => layer === built.layers[index])
  const moved = base.before !== undefined && base.now !== undefined && base.before !== base.now
  if (sameHistory && sameLayers && !(moved && !isKnown)) return undefined
  const image = stageBuild.baseImage
  if (image === undefined) {
    const name = stageBuild.baseStage
    if (name === undefined || !executedStages.has(name)) {
      return { kind: 'unknown', reason: 'It is not known: what the stage is built on differs from what is published.' }
    }
    return { kind: 'stage-changed', reason: `It is built on stage ${name}, of which a step was executed.` }
  }
  return {
    kind: 'base-changed',
    reason: `The base image ${image} moved${moved ? ` from ${base.before} to ${base.now}` : ', or FROM names another one'}.`
  }
}

function whyOtherInstruction(
  { changes, cacheMetadata }: Evidence,
  published: ImageRecord,
  built: ImageRecord,
  start: number,
  instructions: StageInstruction[]
): Reason | undefined {
  const differs = instructions.findIndex(({ keyword }, index) => {
    const [before, now] = [published, built].map(({ history }) => history[start + index]?.createdBy)
    return withoutContent(before, keyword) !== withoutContent(now, keyword)
  })
  const instruction = instructions[differs]
  if (!instruction) return undefined
  const isItself = differs === instructions.length - 1
  const where = isItself ? '' : ` in line ${instruction.line}, before it,`
  const before = published.history[start + differs]?.createdBy
  const now = built.history[start + differs]?.createdBy ?? ''
  const names = changedArguments(before ?? '', now, instructions)
  if (names.length > 0) {
    return { kind: 'build-arg-changed', reason: `The value of the build argument ${names.join(', ')} changed.` }
  }
  if (
    instruction.keyword !== 'ARG' &&
    instruction.hasVariable &&
    cacheMetadata &&
    changes?.dockerfileChanged === false
  ) {
    return {
      kind: 'build-arg-changed',
      reason: `A build argument${where || ' in it'} changed: the Dockerfile did not.`
    }
  }
  return {
    kind: 'instruction-changed',
    reason: isItself
      ? 'The instruction itself changed, or is new there.'
      : `The instruction in line ${instruction.line}, before it, changed or is new there: ${shorten(instruction.text)}.`
  }
}

/** The legacy builder puts a hash of the files into the history of COPY and ADD. */
function withoutContent(createdBy: string | undefined, keyword: string): string | undefined {
  return keyword === 'COPY' || keyword === 'ADD'
    ? createdBy?.replace(/ (file|dir|multi|archive):[0-9a-f]+ in /, ' $1 in ')
    : createdBy
}

/**
 * The build arguments whose values differ between two entries: `ARG A=1`, or `RUN |2 A=1 B=2 /bin/sh -c …` (in the legacy
 * builder without the first word). None if something else differs.
 */
function changedArguments(before: string, now: string, instructions: StageInstruction[]): string[] {
  const last = instructions.at(-1)
  const [argBefore, argNow] = [before, now].map((entry) => /(?:^|#\(nop\) +)ARG ([^=\s]+)/.exec(entry)?.[1])
  if (argNow !== undefined && argBefore === argNow) return [argNow]
  if (last === undefined || keywordOf(now) !== 'RUN') return []
  const declared = instructions.flatMap(({ keyword, text }) =>
    keyword === 'ARG' ? [...text.matchAll(/(?:^ARG|\s)\s*([A-Za-z_]\w*)(?==|\s|$)/g)].map(([, name = '']) => name) : []
  )
  const [valuesBefore, valuesNow] = [before, now].map((entry) => argumentsOf(entry, declared))
  if (!valuesBefore || !valuesNow || valuesBefore.command !== valuesNow.command) return []
  const names = new Set([...valuesBefore.values.keys(), ...valuesNow.values.keys()])
  return [...names].filter((name) => valuesBefore.values.get(name) !== valuesNow.values.get(name))
}

function argumentsOf(entry: string, declared: string[]): { command: string; values: Map<string, string> } | undefined {
  const [, count, rest] = /^(?:RUN )?\|(\d+) (.*)$/s.exec(entry) ?? []
  if (count === undefined || rest === undefined) return { command: entry.replace(/^RUN /, ''), values: new Map() }
  // values may hold anything, so the shell is taken from where it is sure to be: a value that holds it makes this fail
  const parts = rest.split(' /bin/sh -c ')
  if (parts.length !== 2) return undefined
  const names = [...new Set(declared)].filter((name) => new RegExp(`(?:^| )${name}=`).test(parts[0] ?? ''))
  if (names.length !== Number(count)) return undefined
  const places = names.map((name) => ({ name, at: ` ${parts[0]}`.indexOf(` ${name}=`) })).sort((a, b) => a.at - b.at)
  const values = places.map(({ name, at }, index): [string, string] => [
    name,
    ` ${parts[0]}`.slice(at + name.length + 2, places[index + 1]?.at)
  ])
  return { command: `/bin/sh -c ${parts[1]}`, values: new Map(values) }
}

/**
 * The instructions are the same: what they read differs, or the cache has failed. One before the step may be the cause: what
 * another stage executed of it in this run was cached here, and the legacy builder shows no triggers.
 */
function whyOtherInputs(
  evidence: Evidence,
  published: ImageRecord,
  built: ImageRecord,
  start: number,
  instructions: StageInstruction[]
): Reason {
  const suspects = instructions.filter(
    (_, index) => index === instructions.length - 1 || !isSameResult(published, built, start + index)
  )
  const known = suspects.map((instruction) => whyOtherInput(evidence, instruction)).find((reason) => reason)
  return known ?? whyUnknown(evidence, published, suspects)
}

/** Whether an entry of the history left the same in both images. */
function isSameResult(published: ImageRecord, built: ImageRecord, entry: number): boolean {
  const { createdBy, empty } = published.history[entry] ?? {}
  // an engine does not tell which entries made layers, but the legacy builder's history of COPY has a hash of the files
  if (empty === undefined) return createdBy === built.history[entry]?.createdBy
  const layer = layersBelow(published, entry)
  return empty || published.layers[layer] === built.layers[layer]
}

/** What an instruction reads that is known to have changed. */
function whyOtherInput(evidence: Evidence, instruction: StageInstruction): Reason | undefined {
  const { changes, executedStages, stageNames } = evidence
  const from = instruction.copiesFrom.map((index) => stageNames[index] ?? '').find((name) => executedStages.has(name))
  if (from !== undefined) {
    return {
      kind: 'stage-changed',
      reason: `What it takes from stage ${from} changed: a step of that stage was executed.`
    }
  }
  const changed = takenBy(evidence, instruction, changes?.changed)
  if (changed.length > 0) {
    return { kind: 'files-changed', reason: `${listed(changed)} changed since the commit of the published image.` }
  }
  if (takenBy(evidence, instruction, changes?.untracked).some((path) => path === '.git/' || path === '.git')) {
    return {
      kind: 'files-changed',
      reason: 'It copies .git, which differs with every checkout: add .git to .dockerignore.'
    }
  }
  return undefined
}

/** Of these paths, those that an instruction reads, also by way of a link that it names. */
function takenBy(
  { links, dockerignore }: Evidence,
  { contextSources, excludes }: StageInstruction,
  paths: string[] | undefined
): string[] {
  const sources = contextSources.flatMap((source) => [source, ...(links.get(source) ?? [])])
  return takenFrom(paths ?? [], sources, excludes, dockerignore)
}

/** Nothing is known to have changed: what it may be, and whether the cache has failed. */
function whyUnknown(evidence: Evidence, published: ImageRecord, suspects: StageInstruction[]): Reason {
  const { changes, base, cacheMetadata, stageBuild } = evidence
  const taken = (paths: string[] | undefined): string[] => suspects.flatMap((one) => takenBy(evidence, one, paths))
  if (suspects.some(({ contextSources }) => contextSources.length > 0)) {
    const untracked = taken(changes?.untracked)
    if (untracked.length > 0) {
      return {
        kind: 'unknown',
        reason: `It is not known: it copies files that git does not track and that may have changed (${listed(untracked)}).`
      }
    }
    if (changes?.changed === undefined) {
      return {
        kind: 'unknown',
        reason: `It is not known which files changed: ${changes === undefined ? 'the published image names no commit' : "neither git here (fetch-depth: 0 would do) nor GitHub's API has the commit of the published image"}.`
      }
    }
  }
  if (base.before !== undefined && base.now !== undefined && base.before !== base.now) {
    const image = stageBuild.baseImage
    return { kind: 'base-changed', reason: `The base image ${image} moved from ${base.before} to ${base.now}.` }
  }
  const unexpected = changes?.dockerfileChanged === false
  const why = cacheMetadata ? whyNoCache(published, stageBuild) : undefined
  if (why !== undefined) {
    return {
      kind: 'incomplete-metadata',
      reason: `${evidence.build.cacheSource} cannot serve as a cache: ${why}.`,
      unexpected
    }
  }
  const odd = evidence.unusualModes.filter(({ path }) => taken([path]).length > 0)
  if (odd.length > 0) {
    const modes = listed(odd.map(({ path, mode }) => `${path} (${mode})`))
    return {
      kind: 'unknown',
      reason: `It is not known: git sees no difference in the files that it copies, but other modes than a checkout under umask 022 gives: ${modes}.`,
      unexpected
    }
  }
  return {
    kind: 'unknown',
    reason: 'It is not known: nothing that it depends on has changed, as far as can be seen.',
    unexpected
  }
}

function listed(paths: string[]): string {
  const shown = paths.slice(0, 3).map((path) => shorten(JSON.stringify(path).slice(1, -1)))
  return `${shown.join(', ')}${paths.length > 3 ? ` and ${paths.length - 3} more` : ''}`
}

function shorten(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}
