import type { StageInstruction } from '../dockerfile/model.ts'
import type { ImageRecord } from '../registry/image.ts'
import { keywordOf, layersBelow } from './cached-layers.ts'
import { type Evidence, type Reason, shorten } from './evidence.ts'

export function whyOtherBase(
  { stageBuild, base, executedStages }: Evidence,
  published: ImageRecord,
  built: ImageRecord,
  start: number
): Reason | undefined {
  const sameHistory = built.history
    .slice(0, start)
    .every(({ createdBy }, index) => createdBy === published.history[index]?.createdBy)
  // an engine does not report which entries created layers: then only the lowest layer surely belongs to the base image
  const isKnown = published.history.every(({ empty }) => empty !== undefined)
  const layers = isKnown ? layersBelow(published, start) : Math.min(start, 1)
  const sameLayers = published.layers.slice(0, layers).every((layer, index) => layer === built.layers[index])
  const moved = base.before !== undefined && base.now !== undefined && base.before !== base.now
  if (sameHistory && sameLayers && !(moved && !isKnown)) return undefined
  const image = stageBuild.baseImage
  if (image === undefined) {
    const name = stageBuild.baseStage
    if (name === undefined || !executedStages.has(name)) {
      return { kind: 'unknown', reason: 'Unknown: what the stage is built on differs from what is published.' }
    }
    return { kind: 'stage-changed', reason: `It is built on stage ${name}, which executed a step.` }
  }
  return {
    kind: 'base-changed',
    reason: `The base image ${image} moved${moved ? ` from ${base.before} to ${base.now}` : ', or FROM names another image'}.`
  }
}

export function whyOtherInstruction(
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
      ? 'The instruction changed, or is new.'
      : `The instruction in line ${instruction.line}, before it, changed or is new: ${shorten(instruction.text)}.`
  }
}

/** Removes the hash of the files that the legacy builder puts into the history of COPY and ADD. */
function withoutContent(createdBy: string | undefined, keyword: string): string | undefined {
  return keyword === 'COPY' || keyword === 'ADD'
    ? createdBy?.replace(/ (file|dir|multi|archive):[0-9a-f]+ in /, ' $1 in ')
    : createdBy
}

/**
 * Returns the build arguments whose values differ between two entries: `ARG A=1`, or `RUN |2 A=1 B=2 /bin/sh -c …` (without the
 * first word in the legacy builder). Returns [] if anything else differs.
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
  // values may contain anything: if one contains the shell's words too, the entry is ambiguous and this gives up
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
