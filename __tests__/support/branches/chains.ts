import { type Event, pushEvent } from '../../../testbed/runner.ts'
import type { Files, SourceRepository } from '../../../testbed/source-repository.ts'
import { PRINT, stamp } from '../corpus/shape.ts'
import { mergeGroupEvent, pullRequestEvent, releaseEvent, tagEvent } from '../workflow-events.ts'

/** What the RUN of each stamp depends on. */
export const DEPENDS_ON = {
  tools: [],
  builder: ['dependencies'],
  build: ['dependencies', 'source'],
  production: ['dependencies'],
  'worker-build': ['dependencies', 'source'],
  worker: ['dependencies']
} satisfies Record<string, ('dependencies' | 'source')[]>

/** A RUN of the two Dockerfiles, by the name of its stamp. */
export type RunName = keyof typeof DEPENDS_ON

/** The RUNs of the first Dockerfile that depend on package.json, in their order. */
const DEPENDENT: RunName[] = ['builder', 'build', 'production']

/** Two Dockerfiles that begin alike. Every RUN leaves a stamp that no second execution would leave again. */
export function applicationOf(base: string): Files {
  return {
    Dockerfile: dockerfile(base, 'build', 'production'),
    'worker.Dockerfile': dockerfile(base, 'worker-build', 'worker'),
    'package.json': '{ "name": "dependencies 0" }\n',
    'src/main.txt': 'source 0\n'
  }
}

function dockerfile(base: string, build: RunName, production: RunName): string {
  return `FROM ${base} AS builder
WORKDIR /app
RUN ${stamp('tools')}
COPY package.json ./
RUN ${stamp('builder')}
COPY src ./src
RUN ${stamp(build)} && cat src/* > app.txt

FROM ${base} AS production
WORKDIR /app
COPY package.json ./
RUN ${stamp(production)}
COPY --from=builder /app/app.txt /app/stamp-tools /app/stamp-builder /app/stamp-${build} ./
${PRINT}
`
}

function dependency(version: number): Files {
  return { 'package.json': `{ "name": "dependencies ${version}" }\n` }
}

function code(text: string): Files {
  return { 'src/main.txt': `source ${text}\n` }
}

/** A run: its commit, and what started it. */
interface Start {
  sha: string
  event: Event
  inputs?: Record<string, string>
}

/** What a run may write to the registry, each including what is before it. */
export type Writes = 'nothing' | 'cache tags' | 'commit tags' | 'moving tags'

/** One run of a chain. */
export interface Moment {
  id: string
  what: string
  /** Changes the source repository; `at` has the commits of earlier moments by their ids. */
  start: (source: SourceRepository, at: Record<string, string>) => Start
  /** The RUNs that it may execute: no earlier run has built them. */
  executes: RunName[]
  writes: Writes
  /** A test fails. */
  fails?: true
  /** An earlier run tested the same content, so that this run only tags its image. */
  reuses?: true
  /** The beginning of the one warning that it logs. */
  warns?: string
  /** A script of Node.js that runs beside the engine. */
  beside?: string
}

function pushed(source: SourceRepository, branch: string): Start {
  const sha = source.head()
  return { sha, event: pushEvent(sha, branch) }
}

/** Merges one branch into another one, as the merge commit of a pull request: on neither of them. */
function mergeCommit(source: SourceRepository, base: string, branch: string): { head: string; sha: string } {
  source.goTo(branch)
  const head = source.head()
  source.goTo(base)
  source.goTo(source.head())
  const sha = source.merge(head)
  source.goTo(base)
  return { head, sha }
}

/** The commits of one branch, its merge, and what comes after it. */
const TRACE: Moment[] = [
  {
    id: 'm1',
    what: 'the first commit of master',
    start: (source) => pushed(source, 'master'),
    executes: ['tools', ...DEPENDENT],
    writes: 'moving tags'
  },
  {
    id: 'b1',
    what: 'a branch changes a dependency',
    start(source) {
      source.branch('feature')
      source.commit(dependency(1))
      return pushed(source, 'feature')
    },
    executes: DEPENDENT,
    writes: 'commit tags'
  },
  {
    id: 'b2',
    what: 'the branch changes the source',
    start(source) {
      source.commit(code('b2'))
      return pushed(source, 'feature')
    },
    executes: ['build'],
    writes: 'commit tags'
  },
  {
    id: 'b3',
    what: 'the branch changes the source again',
    start(source) {
      source.commit(code('b3'))
      return pushed(source, 'feature')
    },
    executes: ['build'],
    writes: 'commit tags'
  },
  {
    id: 'merge',
    what: 'the branch is merged',
    start(source) {
      source.goTo('master')
      source.merge('feature')
      return pushed(source, 'master')
    },
    executes: [],
    writes: 'moving tags'
  },
  {
    id: 'm2',
    what: 'master changes the source',
    start(source) {
      source.commit(code('m2'))
      return pushed(source, 'master')
    },
    executes: ['build'],
    writes: 'moving tags'
  },
  {
    id: 'old',
    what: 'a branch off the first commit changes the source',
    start(source, { m1 = '' }) {
      source.branch('old', m1)
      source.commit(code('old'))
      return pushed(source, 'old')
    },
    executes: ['build'],
    writes: 'commit tags'
  }
]

/** Both jobs give their images the same commit tag. */
const REPLACED = 'Another image of this commit is published as'

/** The other ways in which content reaches a branch; they continue the trace. */
const WAYS: Moment[] = [
  {
    id: 'revert',
    what: 'master reverts the change of the dependency',
    start(source, { b1 = '' }) {
      source.goTo('master')
      source.revert(b1)
      return pushed(source, 'master')
    },
    executes: ['build'],
    writes: 'moving tags'
  },
  {
    id: 'pick',
    what: 'another branch picks the change of the dependency',
    start(source, { b1 = '' }) {
      source.goTo('old')
      source.cherryPick(b1)
      return pushed(source, 'old')
    },
    executes: ['build'],
    writes: 'commit tags'
  },
  {
    id: 'squashed',
    what: 'a branch of two commits changes a dependency and the source',
    start(source) {
      source.goTo('master')
      source.branch('squashed')
      source.commit(dependency(2))
      source.commit(code('squashed'))
      return pushed(source, 'squashed')
    },
    executes: DEPENDENT,
    writes: 'commit tags'
  },
  {
    id: 'squash',
    what: 'the branch is merged as a single commit',
    start(source) {
      source.goTo('master')
      source.squash('squashed')
      return pushed(source, 'master')
    },
    executes: [],
    writes: 'moving tags'
  },
  {
    id: 'topic',
    what: 'a branch changes a dependency and adds a file',
    start(source) {
      source.branch('topic')
      source.commit({ ...dependency(3), 'src/topic.txt': 'topic\n' })
      return pushed(source, 'topic')
    },
    executes: DEPENDENT,
    writes: 'commit tags'
  },
  {
    id: 'm3',
    what: 'master changes the source meanwhile',
    start(source) {
      source.goTo('master')
      source.commit(code('m3'))
      return pushed(source, 'master')
    },
    executes: ['build'],
    writes: 'moving tags'
  },
  {
    id: 'rebase',
    what: 'the branch is rebased',
    start(source) {
      source.goTo('topic')
      source.rebase('master')
      return pushed(source, 'topic')
    },
    executes: ['build'],
    writes: 'commit tags'
  },
  {
    id: 'alike1',
    what: 'a branch changes a dependency',
    start(source) {
      source.goTo('master')
      source.branch('alike1')
      source.commit(dependency(4))
      return pushed(source, 'alike1')
    },
    executes: DEPENDENT,
    writes: 'commit tags'
  },
  {
    id: 'alike2',
    what: 'another branch changes the dependency alike, and the source',
    start(source) {
      source.goTo('master')
      source.branch('alike2')
      source.commit({ ...dependency(4), ...code('alike2') })
      return pushed(source, 'alike2')
    },
    executes: ['build'],
    writes: 'commit tags'
  },
  {
    id: 'pull',
    what: 'a pull request of that branch builds its merge commit',
    start(source) {
      const { head, sha } = mergeCommit(source, 'master', 'alike2')
      return { sha, event: pullRequestEvent(sha, { number: 1, head, branch: 'alike2' }) }
    },
    executes: [],
    writes: 'commit tags'
  },
  {
    id: 'fork',
    what: 'a pull request of a fork changes the source',
    start(source) {
      source.branch('fork')
      source.commit(code('fork'))
      const { head, sha } = mergeCommit(source, 'master', 'fork')
      return { sha, event: pullRequestEvent(sha, { number: 2, head, branch: 'fork', fork: true }) }
    },
    executes: ['build'],
    writes: 'nothing'
  },
  {
    id: 'tag',
    what: 'a tag is set on the first commit',
    start: (_source, { m1 = '' }) => ({ sha: m1, event: tagEvent(m1, 'v1'), inputs: { tags: 'v1' } }),
    executes: [],
    writes: 'commit tags'
  },
  {
    id: 'worker1',
    what: 'another job of the workflow builds the other Dockerfile',
    start: (source) => worker(pushed(source, 'master')),
    executes: ['worker-build', 'worker'],
    writes: 'moving tags',
    warns: REPLACED
  },
  {
    id: 'm4',
    what: 'master changes the source',
    start(source) {
      source.commit(code('m4'))
      return pushed(source, 'master')
    },
    executes: ['build'],
    writes: 'moving tags'
  },
  {
    id: 'worker2',
    what: 'the other job builds that commit, too',
    start: (source) => worker(pushed(source, 'master')),
    executes: ['worker-build'],
    writes: 'moving tags',
    warns: REPLACED
  }
]

function worker(start: Start): Start {
  const inputs = { file: 'worker.Dockerfile', 'builder-tag': 'worker-builder', 'latest-tag': 'worker' }
  return { ...start, inputs }
}

const SERVER_PORT = 8_099
/** A test that passes only if a server answers: the same command in the same image may fail or pass. */
const FLAKY = `cat stamp-* && wget -q -O - http://172.30.0.1:${SERVER_PORT}/`
const SERVER = `require('node:http').createServer((_, response) => response.end('ready')).listen(${SERVER_PORT}, () => console.log('ready'))`

function flaky(start: Start): Start {
  return { ...start, inputs: { tests: FLAKY, 'skip-unchanged-tests': 'true' } }
}

/** A failing test; the run that mends it; and a test that fails now and then. */
const FAILING: Moment[] = [
  {
    id: 'passed',
    what: 'the first commit of master',
    start: (source) => pushed(source, 'master'),
    executes: ['tools', ...DEPENDENT],
    writes: 'moving tags'
  },
  {
    id: 'failed',
    what: 'a dependency changes, and a test fails',
    start(source) {
      source.commit(dependency(1))
      return { ...pushed(source, 'master'), inputs: { tests: 'exit 1' } }
    },
    executes: DEPENDENT,
    writes: 'cache tags',
    fails: true
  },
  {
    id: 'mended',
    what: 'the test is mended, the content is the same',
    start: (source) => pushed(source, 'master'),
    executes: [],
    writes: 'moving tags'
  },
  {
    id: 'unlucky',
    what: 'the source changes, and a flaky test fails',
    start(source) {
      source.commit(code('unlucky'))
      return flaky(pushed(source, 'master'))
    },
    executes: ['build'],
    writes: 'cache tags',
    fails: true
  },
  {
    id: 'lucky',
    what: 'it passes for the same commit',
    start: (source) => flaky(pushed(source, 'master')),
    executes: [],
    writes: 'moving tags',
    beside: SERVER
  },
  {
    id: 'skipped',
    what: 'it would fail, but has passed for this content',
    start(source) {
      source.commit({ 'docs.txt': 'no image has this\n' })
      return flaky(pushed(source, 'master'))
    },
    executes: [],
    writes: 'moving tags',
    reuses: true
  }
]

function skipping(start: Start): Start {
  return { ...start, inputs: { ...start.inputs, 'skip-unchanged-tests': 'true' } }
}

/** Runs that have nothing to build and to test, as a run of another branch has done both. */
const REUSING: Moment[] = [
  {
    id: 'first',
    what: 'a branch is built, before anything else',
    start(source) {
      source.branch('feature')
      source.commit(code('first'))
      return skipping(pushed(source, 'feature'))
    },
    executes: ['tools', ...DEPENDENT],
    writes: 'commit tags'
  },
  {
    id: 'merged',
    what: 'it is merged',
    start(source) {
      source.goTo('master')
      source.merge('feature')
      return skipping(pushed(source, 'master'))
    },
    executes: [],
    writes: 'moving tags',
    reuses: true
  },
  {
    id: 'again',
    what: 'that run is repeated',
    start: (source) => skipping(pushed(source, 'master')),
    executes: [],
    writes: 'moving tags',
    reuses: true
  },
  {
    id: 'release',
    what: 'that commit is released',
    start: (source) =>
      skipping({ sha: source.head(), event: releaseEvent(source.head(), 'v1'), inputs: { tags: 'v1' } }),
    executes: [],
    writes: 'commit tags',
    reuses: true
  },
  {
    id: 'second',
    what: 'another branch changes the source',
    start(source) {
      source.branch('second')
      source.commit(code('second'))
      return skipping(pushed(source, 'second'))
    },
    executes: ['build'],
    writes: 'commit tags'
  },
  {
    id: 'queued',
    what: 'the merge queue tests it',
    start(source) {
      source.goTo('master')
      source.branch('gh-readonly-queue/master/pr-2')
      const sha = source.merge('second')
      return skipping({ sha, event: mergeGroupEvent(sha, 'gh-readonly-queue/master/pr-2') })
    },
    executes: [],
    writes: 'commit tags',
    reuses: true
  },
  {
    id: 'landed',
    what: 'the commit of the queue becomes that of master',
    start: (source) => skipping(pushed(source, 'master')),
    executes: [],
    writes: 'moving tags',
    reuses: true
  }
]

/** Chains of runs, each on a brand-new engine. `ways` contains `trace`. */
export const BRANCH_CHAINS = { trace: TRACE, ways: [...TRACE, ...WAYS], failing: FAILING, reusing: REUSING }

export type BranchChain = keyof typeof BRANCH_CHAINS
