import type { Kind, State } from './shape.ts'

export interface Commit {
  name: string
  versions: Omit<State, 'commit'>
  /** The commit off which a branch that does not publish begins; without it the commit is on master. */
  branchOff?: number
}

function commit(name: string, source: number, dependencies: number, tail: number): Commit {
  return { name, versions: { source, dependencies, tail } }
}

/** Every commit is built on a brand-new engine. */
export const CHAINS = {
  A: [
    commit('cold', 0, 0, 0),
    commit('source', 1, 0, 0),
    commit('dependencies', 1, 1, 0),
    commit('tail', 1, 1, 1),
    commit('revert', 1, 0, 0)
  ],
  B: [
    commit('cold', 0, 0, 0),
    commit('nothing', 0, 0, 0),
    commit('source', 1, 0, 0),
    { ...commit('branch', 2, 0, 0), branchOff: 0 },
    commit('tail', 1, 0, 1)
  ]
} satisfies Record<string, Commit[]>

export type ChainName = keyof typeof CHAINS

export const CHAIN_NAMES = Object.keys(CHAINS) as ChainName[]

/** What differs between two commits. */
export function kindsBetween(one: State, other: State): Kind[] {
  return (Object.keys(one) as Kind[]).filter((kind) => one[kind] !== other[kind])
}
