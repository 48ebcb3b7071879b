import type { Span, SpanKind } from '../lib/timeline.ts'

/** The spans of a run, and which of them overlapped. */
export interface Gantt {
  sections: { title: string; tasks: Task[] }[]
  /** Number of omitted tasks. */
  more: number
}

export interface Task {
  name: string
  /** Seconds. */
  start: number
  seconds: number
  failed: boolean
}

const SECTIONS: Partial<Record<SpanKind, string>> = {
  prepare: 'Prepare',
  fetch: 'Fetch',
  build: 'Build',
  test: 'Test',
  publish: 'Publish'
}

const MOST_TASKS = 50

/**
 * @param image the repository, which the names omit
 * @param failed names of the spans that failed
 */
export function makeGantt(spans: readonly Span[], image: string, failed: ReadonlySet<string>): Gantt {
  const shown = spans.filter(({ kind }) => SECTIONS[kind] !== undefined)
  const machines = [...new Set(shown.flatMap(({ machine }) => machine ?? []))]
  // of several machines, it matters more which one did something than what kind of thing that is
  const groups: [string, (span: Span) => boolean][] =
    machines.length > 0
      ? machines.map((name) => [`Machine ${name}`, ({ machine }) => machine === name])
      : Object.entries(SECTIONS).map(([kind, title]) => [title, (span) => span.kind === kind])
  const sections = groups.map(([title, isIn]) => ({
    title: mermaidName(title),
    tasks: shown
      .slice(0, MOST_TASKS)
      .filter(isIn)
      .map(({ name, start, seconds }) => ({
        name: name.replaceAll(`${image}:`, ''),
        start,
        seconds,
        failed: failed.has(name)
      }))
  }))
  return { sections: sections.filter(({ tasks }) => tasks.length > 0), more: Math.max(0, shown.length - MOST_TASKS) }
}

/** Returns the diagram in Mermaid, which GitHub renders (mermaid.js.org/syntax/gantt.html). */
export function mermaidOf({ sections, more }: Gantt): string {
  return [
    'gantt',
    // milliseconds, shown as seconds in any time zone of the reader
    'dateFormat x',
    'axisFormat %s s',
    `tickInterval ${tickOf(sections)}`,
    'todayMarker off',
    ...sections.flatMap(({ title, tasks }) => [`section ${title}`, ...tasks.map(taskLine)]),
    ...(more > 0 ? [`section … and ${more} more`] : [])
  ].join('\n')
}

/** Returns the interval of about ten ticks, at whole seconds or minutes. */
function tickOf(sections: Gantt['sections']): string {
  const tasks = sections.flatMap((section) => section.tasks)
  const end = Math.max(0, ...tasks.map(({ start, seconds }) => start + seconds))
  const step = [1, 2, 5, 10, 30].find((seconds) => end / seconds <= 12)
  return step === undefined ? `${Math.ceil(end / 60 / 12)}minute` : `${step}second`
}

function taskLine({ name, start, seconds, failed }: Task): string {
  const [from, length] = [start, seconds].map((value) => Math.round(value * 1_000))
  return `${mermaidName(name)} :${failed ? 'crit, ' : ''}${from}, ${Math.max(1, length ?? 0)}ms`
}

const LONGEST_NAME = 50

/** Keeps letters, digits and characters without a meaning in a diagram. The first word is the action's, so it is not a keyword. */
function mermaidName(name: string): string {
  const words = name.replaceAll(/[^\p{L}\p{N} ._/=@+-]+/gu, ' ').trim()
  const characters = [...words]
  return characters.length > LONGEST_NAME ? `${characters.slice(0, LONGEST_NAME).join('')}…` : words
}
