import { pullRequestEvent, tagEvent } from '../__tests__/support/workflow-events.ts'
import { type Event, pushEvent } from '../testbed/runner.ts'
import { SourceRepository } from '../testbed/source-repository.ts'
import type { Commit } from './trace.ts'

/** What a workflow knows about its run. */
export interface Run {
  /** The commit in the checkout. */
  sha: string
  event: Event
  /** Name of the branch or tag. */
  ref: string
  /** Whether the run is one of master, which moves the tags that others build on. */
  isMaster: boolean
  /** Further tags of the production image. */
  tags: string[]
}

/** The source repository while a trace is played. */
export class History {
  readonly #source: SourceRepository
  readonly #pullRequests: string[] = []
  #last: Run | undefined

  /** @param folder of the test bed */
  constructor(folder: string, { change }: Commit) {
    this.#source = new SourceRepository(folder, 'files' in change ? change.files : {})
  }

  /** Makes the commit of a run; the constructor has made the first one. */
  next(commit: Commit): Run {
    this.#last = this.#next(commit)
    return this.#last
  }

  /** Makes a fresh clone of a commit; returns its folder. */
  checkout(sha: string): string {
    return this.#source.checkout(sha)
  }

  #next({ kind, change, branch }: Commit): Run {
    const source = this.#source
    if (kind === 'cold') return ofMaster(source.head())
    if ('nothing' in change && change.nothing === 're-run') {
      if (!this.#last) throw new Error('There is no run to repeat.')
      return this.#last
    }
    if ('files' in change && branch !== undefined) return this.#pullRequest(branch, change.files)
    source.goTo('master')
    if ('files' in change) return ofMaster(source.commit(change.files))
    if ('merge' in change) return ofMaster(source.merge(change.merge))
    if ('squash' in change) return ofMaster(source.squash(change.squash))
    if ('revert' in change) return ofMaster(source.revert('HEAD'))
    const sha = source.head()
    if ('tag' in change) {
      return { sha, event: tagEvent(sha, change.tag), ref: change.tag, isMaster: false, tags: [change.tag] }
    }
    const event = { name: 'schedule', sha, ref: 'refs/heads/master', payload: { schedule: '0 3 * * *' } }
    return { ...ofMaster(sha), event }
  }

  /** Commits on the branch of a pull request. The run is about its merge commit, which GitHub makes. */
  #pullRequest(branch: string, files: Record<string, string>): Run {
    const source = this.#source
    if (this.#pullRequests.includes(branch)) source.goTo(branch)
    else {
      source.branch(branch, 'master')
      this.#pullRequests.push(branch)
    }
    const head = source.commit(files)
    source.goTo('master')
    const master = source.head()
    source.goTo(master)
    const sha = source.merge(branch)
    const number = this.#pullRequests.indexOf(branch) + 1
    return { sha, event: pullRequestEvent(sha, { number, head, branch }), ref: branch, isMaster: false, tags: [] }
  }
}

function ofMaster(sha: string): Run {
  return { sha, event: pushEvent(sha, 'master'), ref: 'master', isMaster: true, tags: [] }
}
