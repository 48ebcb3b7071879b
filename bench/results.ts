import type { Part } from './account.ts'
import type { Kind } from './trace.ts'

export interface MeasuredCommit {
  kind: Kind
  seconds: number
  /** Number of Dockerfile steps. */
  executed: number
  /** Those of them that an earlier run, of whichever branch, has built with the same content. */
  unchanged: number
  /** Bytes from and to the registry. */
  pulled: number
  pushed: number
  /** Seconds of processor time of the engine itself, the commands of RUN instructions, the tests, docker clients, and the action. */
  cpu: CpuSeconds
  /** Number of docker clients that were started. */
  clients: number
  /** Estimated seconds on four cores. */
  fourCores: number
}

export interface CpuSeconds {
  engine: number
  steps: number
  tests: number
  clients: number
  action: number
}

const SUMS = ['seconds', 'executed', 'unchanged', 'pulled', 'pushed', 'clients', 'fourCores'] as const
const CPU = ['engine', 'steps', 'tests', 'clients', 'action'] as const

/** Totals of all commits, and the median time of the commits that change the source. */
export interface Summary extends Record<(typeof SUMS)[number], number> {
  sourceMedian: number
  cpu: CpuSeconds
}

export interface MethodResults extends Summary {
  key: string
  title: string
  commits: MeasuredCommit[]
  /** Where the time of the runs after the first one goes. */
  account: Part[]
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
  const sum = (value: (commit: MeasuredCommit) => number): number =>
    rounded(commits.reduce((total, commit) => total + value(commit), 0))
  const sums = Object.fromEntries(SUMS.map((key) => [key, sum((commit) => commit[key])]))
  const cpu = Object.fromEntries(CPU.map((key) => [key, sum((commit) => commit.cpu[key])]))
  return {
    ...(sums as Record<(typeof SUMS)[number], number>),
    sourceMedian: rounded(median(commits.filter(({ kind }) => kind === 'source').map(({ seconds }) => seconds))),
    cpu: cpu as unknown as CpuSeconds
  }
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const [low = 0, high = 0] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.ceil((sorted.length - 1) / 2)]]
  return (low + high) / 2
}

/** Rounds to one decimal place. */
export function rounded(value: number): number {
  return Math.round(value * 10) / 10
}

export function allCores({ cpu }: Pick<Summary, 'cpu'>): number {
  return CPU.reduce((sum, key) => sum + cpu[key], 0)
}

/** Makes a table for the terminal: seconds of every commit, totals, and the ratios of seconds and core-seconds to those of others. */
export function tabulate({ store, docker, buildx, methods }: StoreResults): string {
  const kinds = methods[0]?.commits.map(({ kind }, index) => `${index + 1} ${kind}`) ?? []
  const row = (name: string, value: (method: MethodResults) => string): string[] => [name, ...methods.map(value)]
  const ratios = (key: string, name: string): string[][] => {
    const other = methods.find((method) => method.key === key)
    if (!other) return []
    return [
      row(`seconds / ${name}`, ({ seconds }) => ratio(seconds, other.seconds)),
      row(`core-seconds / ${name}`, (method) => ratio(allCores(method), allCores(other)))
    ]
  }
  const rows = [
    row('seconds', ({ title }) => title),
    ...kinds.map((kind, index) => row(kind, ({ commits }) => fixed(commits[index]?.seconds))),
    row('total', ({ seconds }) => fixed(seconds)),
    row('median of source changes', ({ sourceMedian }) => fixed(sourceMedian)),
    row('estimate for four cores', ({ fourCores }) => fixed(fourCores)),
    row('core-seconds', (method) => fixed(allCores(method))),
    ...CPU.map((key) => row(`  ${key}`, ({ cpu }) => fixed(cpu[key]))),
    row('docker client starts', ({ clients }) => String(clients)),
    row('steps executed', ({ executed }) => String(executed)),
    row('  of them unchanged', ({ unchanged }) => String(unchanged)),
    row('MB pulled', ({ pulled }) => fixed(pulled / 1e6)),
    row('MB pushed', ({ pushed }) => fixed(pushed / 1e6)),
    ...ratios('documented', 'documented'),
    ...ratios('persistent', 'persistent')
  ]
  return [`Docker ${docker}, buildx ${buildx}, ${store} store`, align(rows)].join('\n')
}

/** Makes a table for each method: where the time of a run goes. */
export function tabulateAccounts({ store, methods }: StoreResults): string {
  return methods
    .map(({ title, account, commits }) => {
      const rows = account.map(({ name, seconds, alone, clients }) => [
        name,
        seconds.toFixed(2),
        alone.toFixed(2),
        clients.toFixed(1)
      ])
      const head = [
        `${title}, ${store} store: mean of ${commits.length - 1} runs`,
        'seconds',
        'nothing else',
        'client starts'
      ]
      return align([head, ...rows])
    })
    .join('\n\n')
}

function align(rows: string[][]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  return rows
    .map((row) =>
      row
        .map((text, column) => (column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0)))
        .join('  ')
    )
    .join('\n')
}

function ratio(value: number, other: number): string {
  return (value / other).toFixed(2)
}

function fixed(value = 0): string {
  return value.toFixed(1)
}
