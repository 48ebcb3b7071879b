import { describe, expect, it } from '@jest/globals'
import {
  type MeasuredCommit,
  type MethodResults,
  median,
  summarize,
  tabulate,
  tabulateAccounts
} from '../../../bench/results.ts'

function commit(kind: MeasuredCommit['kind'], seconds: number): MeasuredCommit {
  const cpu = { engine: seconds / 4, steps: seconds / 4, tests: seconds / 4, clients: seconds / 8, action: seconds / 8 }
  const counts = { executed: 4, unchanged: 1, pulled: 1_000_000, pushed: 500_000, clients: 30 }
  return { kind, seconds, ...counts, cpu, fourCores: seconds / 2 }
}

function method(key: string, seconds: number[]): MethodResults {
  const commits = seconds.map((value, index) => commit(index === 0 ? 'cold' : 'source', value))
  const account = [{ name: 'push', seconds: 1.234, alone: 0.5, clients: 3 }]
  return { key, title: key, commits, ...summarize(commits), account }
}

const STORE = {
  store: 'containerd',
  docker: '28.5.2',
  buildx: '0.29.1',
  methods: [method('documented', [40, 10, 30]), method('action', [40, 8, 12]), method('persistent', [20, 10, 10])]
}

describe('summarize', () => {
  it('adds up all runs, and takes the median of source changes', () => {
    expect(summarize(STORE.methods[0]?.commits ?? [])).toEqual({
      ...{ seconds: 80, sourceMedian: 20, executed: 12, unchanged: 3, pulled: 3_000_000, pushed: 1_500_000 },
      ...{ clients: 90, fourCores: 40, cpu: { engine: 20, steps: 20, tests: 20, clients: 10, action: 10 } }
    })
  })
})

describe('median', () => {
  it('is the middle, or the mean of the two in the middle', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 2, 3])).toBe(2.5)
  })
})

describe('tabulate', () => {
  it('prints totals and the ratios of every method to the documented commands and to the persistent agent', () => {
    expect(tabulate(STORE).split('\n')).toEqual([
      'Docker 28.5.2, buildx 0.29.1, containerd store',
      'seconds                    documented  action  persistent',
      '1 cold                           40.0    40.0        20.0',
      '2 source                         10.0     8.0        10.0',
      '3 source                         30.0    12.0        10.0',
      'total                            80.0    60.0        40.0',
      'median of source changes         20.0    10.0        10.0',
      'estimate for four cores          40.0    30.0        20.0',
      'core-seconds                     80.0    60.0        40.0',
      '  engine                         20.0    15.0        10.0',
      '  steps                          20.0    15.0        10.0',
      '  tests                          20.0    15.0        10.0',
      '  clients                        10.0     7.5         5.0',
      '  action                         10.0     7.5         5.0',
      'docker client starts               90      90          90',
      'steps executed                     12      12          12',
      '  of them unchanged                 3       3           3',
      'MB pulled                         3.0     3.0         3.0',
      'MB pushed                         1.5     1.5         1.5',
      'seconds / documented             1.00    0.75        0.50',
      'core-seconds / documented        1.00    0.75        0.50',
      'seconds / persistent             2.00    1.50        1.00',
      'core-seconds / persistent        2.00    1.50        1.00'
    ])
  })

  it('prints no ratio to a method that was not played', () => {
    const table = tabulate({ ...STORE, methods: STORE.methods.slice(1) })
    expect(table).not.toContain('documented')
    expect(table).toContain('seconds / persistent')
  })
})

describe('tabulateAccounts', () => {
  it('prints where the time of each method goes', () => {
    const [first = ''] = tabulateAccounts(STORE).split('\n\n')
    expect(first.split('\n')).toEqual([
      'documented, containerd store: mean of 2 runs  seconds  nothing else  client starts',
      'push                                             1.23          0.50            3.0'
    ])
  })
})
