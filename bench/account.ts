import type { Span, SpanKind } from '../src/lib/timeline.ts'

/** What a part of a run costs: the mean of several runs. */
export interface Part {
  name: string
  /** Seconds during which at least one activity of this part was running. */
  seconds: number
  /** Seconds during which nothing else was running. */
  alone: number
  /** Number of docker clients that it started. */
  clients: number
}

/** Spans that contain other activities, or wait for them. */
const OUTER: SpanKind[] = ['run', 'prepare', 'wait']
const OUTER_NAMES = ['Cache tags', 'Explain', 'Take over the images']

/** The kinds of span that measure nothing but a call of docker, by its command. */
const WRAPPERS: Record<string, SpanKind[]> = {
  'docker build': ['build'],
  'docker buildx build': ['build', 'fetch'],
  'docker pull': ['fetch'],
  'docker push': ['publish'],
  'docker run': ['test']
}

/** Names of the parts, by the beginning of a span's name. */
const PARTS: [RegExp, string][] = [
  [/^Build \S+:builder-stage-/, 'build a cache stage'],
  [/^Build \S+:builder-/, 'build the builder stage'],
  [/^Build /, 'build the production stage'],
  [/^Prefetch/, 'prefetch'],
  [/^Test /, 'tests'],
  [/^Pull /, 'pull'],
  [/^Push /, 'push'],
  [/^Tag /, 'set tags in the registry'],
  [/^Inspect /, 'inspect the registry'],
  [/^Wait /, ''],
  [/^All$/, '']
]

/** Accounts for the time of several runs of a method, the part that takes longest first. */
export function account(timelines: readonly (readonly Span[])[]): Part[] {
  const parts = new Map<string, Part>()
  const add = (name: string, key: 'seconds' | 'alone' | 'clients', value: number): void => {
    const part = parts.get(name) ?? { name, seconds: 0, alone: 0, clients: 0 }
    part[key] += value / timelines.length
    parts.set(name, part)
  }
  for (const timeline of timelines) {
    const commands = timeline.filter(({ kind }) => kind === 'command')
    const wrappers = new Map(commands.map((command) => [command, wrapperOf(command, timeline)]))
    const spans = timeline.filter((span) => wrappers.get(span) === undefined && partOf(span) !== '')
    for (const [name, own] of Map.groupBy(spans, partOf)) add(name, 'seconds', covered(own))
    for (const { seconds, running } of intervals(spans)) {
      const inner = running.filter((span) => !isOuter(span))
      const [name = '', ...others] = new Set((inner.length > 0 ? inner : running).map(partOf))
      if (others.length === 0) add(name, 'alone', seconds)
    }
    for (const [command, wrapper] of wrappers) add(partOf(wrapper ?? command), 'clients', 1)
  }
  return [...parts.values()].sort((a, b) => b.seconds - a.seconds)
}

/**
 * Estimates the seconds of a run on four cores instead of two, from what ran at the same time: two docker clients need no more than two
 * cores, and while more of them are running, each gets its share. This is an estimate: a client may need more than one core, or none
 * while it waits for the network.
 *
 * @param seconds of the whole run
 */
export function estimateFourCores(timeline: readonly Span[], seconds: number): number {
  const saved = intervals(timeline.filter(({ kind }) => kind === 'command')).map((interval) => {
    const clients = Math.min(4, interval.running.length)
    return clients > 2 ? interval.seconds * (1 - 2 / clients) : 0
  })
  return seconds - saved.reduce((sum, value) => sum + value, 0)
}

/** The seconds during which at least one of the spans was running. */
export function covered(spans: readonly Span[]): number {
  return intervals(spans).reduce((sum, { seconds }) => sum + seconds, 0)
}

/** The periods between the beginnings and ends of spans in which something was running. */
function intervals(spans: readonly Span[]): { seconds: number; running: Span[] }[] {
  const times = [...new Set(spans.flatMap(({ start, seconds }) => [start, start + seconds]))].sort((a, b) => a - b)
  return times.slice(1).flatMap((until, index) => {
    const from = times[index] ?? until
    const running = spans.filter(({ start, seconds }) => start <= from && start + seconds >= until)
    return running.length > 0 ? [{ seconds: until - from, running }] : []
  })
}

function partOf({ name }: Span): string {
  const [, part] = PARTS.find(([pattern]) => pattern.test(name)) ?? [undefined, name]
  return part
}

function isOuter({ kind, name }: Span): boolean {
  return OUTER.includes(kind) || OUTER_NAMES.includes(name)
}

/** Returns the span that measures exactly this call of docker: it begins with the call, and of several ends closest to it. */
function wrapperOf(command: Span, timeline: readonly Span[]): Span | undefined {
  const kinds = WRAPPERS[command.name] ?? []
  const late = (span: Span): number => command.start - span.start
  const early = (span: Span): number => Math.abs(span.start + span.seconds - command.start - command.seconds)
  return timeline
    .filter((span) => kinds.includes(span.kind) && late(span) > -0.005 && late(span) < 0.05)
    .sort((a, b) => early(a) - early(b))[0]
}
