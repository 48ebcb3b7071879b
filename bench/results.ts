import type { Kind } from './trace.ts'

export interface MeasuredCommit {
  kind: Kind
  seconds: number
  /** Number of Dockerfile steps. */
  executed: number
  /** Bytes from and to the registry. */
  pulled: number
  pushed: number
}

/** Totals of all commits, and the median time of the commits that change the source. */
export interface Summary {
  seconds: number
  sourceMedian: number
  executed: number
  pulled: number
  pushed: number
}

export interface MethodResults extends Summary {
  key: string
  title: string
  commits: MeasuredCommit[]
}

export interface StoreResults {
  store: string
  docker: string
  buildx: string
  methods: MethodResults[]
}

export interface Results {
  date: string
  command: string
  machine: string
  linkMbit: number
  stores: StoreResults[]
  minutes: number
}

export function summarize(commits: readonly MeasuredCommit[]): Summary {
  const sum = (key: 'seconds' | 'executed' | 'pulled' | 'pushed'): number =>
    rounded(commits.reduce((total, commit) => total + commit[key], 0))
  return {
    seconds: sum('seconds'),
    sourceMedian: rounded(median(commits.filter(({ kind }) => kind === 'source').map(({ seconds }) => seconds))),
    executed: sum('executed'),
    pulled: sum('pulled'),
    pushed: sum('pushed')
  }
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const [low = 0, high = 0] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.ceil((sorted.length - 1) / 2)]]
  return (low + high) / 2
}

/** Rounds to one decimal place. */
function rounded(value: number): number {
  return Math.round(value * 10) / 10
}

/** Makes a table for the terminal: seconds of every commit, totals, and the ratio of this action's time to that of each method. */
export function tabulate({ store, docker, buildx, methods }: StoreResults): string {
  const kinds = methods[0]?.commits.map(({ kind }, index) => `${index + 1} ${kind}`) ?? []
  const action = methods.find(({ key }) => key === 'action')
  const rows = [
    ['seconds', ...methods.map(({ title }) => title)],
    ...kinds.map((kind, index) => [kind, ...methods.map(({ commits }) => fixed(commits[index]?.seconds))]),
    ['total', ...methods.map(({ seconds }) => fixed(seconds))],
    ['median of source changes', ...methods.map(({ sourceMedian }) => fixed(sourceMedian))],
    ['steps executed', ...methods.map(({ executed }) => String(executed))],
    ['MB pulled', ...methods.map(({ pulled }) => fixed(pulled / 1e6))],
    ['MB pushed', ...methods.map(({ pushed }) => fixed(pushed / 1e6))],
    ...(action
      ? [['this action / method', ...methods.map(({ seconds }) => (action.seconds / seconds).toFixed(2))]]
      : [])
  ]
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  const lines = rows.map((row) =>
    row
      .map((text, column) => (column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0)))
      .join('  ')
  )
  return [`Docker ${docker}, buildx ${buildx}, ${store} store`, ...lines].join('\n')
}

function fixed(value = 0): string {
  return value.toFixed(1)
}
