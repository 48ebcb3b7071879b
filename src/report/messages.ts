import type { RegistryFailure } from '../registry/failure.ts'
import { describeStep } from '../result/cache-verdict.ts'
import { buildsOf, type Failure, type Miss, type RunResult } from '../result/result.ts'

/** Returns the sentence for people about a failure of a run. */
export function describeFailure(failure: Failure, result: RunResult): string {
  switch (failure.kind) {
    case 'error':
      return failure.message
    case 'cancelled':
      return 'The run was cancelled'
    case 'engine-gone':
      return `The Docker engine stopped answering during the run (${failure.message})`
    case 'build': {
      const build = buildsOf(result).find(({ image }) => image === failure.image)
      return `Building ${failure.image} failed: ${build?.failure}`
    }
    case 'test': {
      const test = result.tests[failure.index]
      return `The ${test?.kind?.replace('-', ' ') ?? 'test'} ${JSON.stringify(test?.command)} did not pass: ${test?.failure}`
    }
    case 'miss': {
      const miss = missesOf(result).find(({ stage, unexpected }) => stage === failure.stage && unexpected)
      return miss ? describeUnexpected(miss) : `Stage ${failure.stage} was built again`
    }
    case 'push':
      return describeFailedPush(failure.reference, failure.failure)
    case 'guard':
      return `Cannot inspect the published image ${failure.reference}, so the moving tags are not updated: they might go back to an older commit (${failure.failure.message}). Make sure that this step may read ${failure.reference}, then run it again`
    case 'images-gone':
      return `The images that this run built are not in the engine any more (${failure.message})`
    case 'name-taken':
      return `${failure.reference} names another image than the one that this run built, so nothing is pushed: another run on the same engine has taken the name; give each runner an engine of its own`
    case 'other-image':
      return `${failure.reference} was pushed with another image (${failure.pushed}) than the one that this run built (${failure.built}), so no other tag is set: another run on the same engine has taken the name; give each runner an engine of its own`
  }
}

/** Returns all explained cache misses of a run. */
export function missesOf(result: RunResult): Miss[] {
  return buildsOf(result).flatMap(({ misses = [] }) => misses)
}

/** Returns the sentence for an unexpected cache miss. */
export function describeUnexpected(miss: Miss): string {
  return `Unexpected cache miss in stage ${miss.stage}, none of whose inputs has changed: ${describeStep(miss)}. ${miss.reason}`
}

/** Returns one sentence for a failed push. */
function describeFailedPush(reference: string, { kind, message }: RegistryFailure): string {
  switch (kind) {
    case 'refused':
      // registries answer "denied" to known users, and "unauthorized" to unknown ones
      return /denied|forbidden|\b403\b|insufficient_scope/i.test(message.replaceAll(reference, '')) &&
        !/invalid_token/.test(message)
        ? `Access denied to push ${reference}: log in to the registry before this step, with a token that may write to this repository (on ghcr.io the job needs permissions: packages: write) (${message})`
        : `Access denied to push ${reference}: log in to the registry before this step; the user name or the token is missing, wrong or expired (on ghcr.io the job needs permissions: packages: write) (${message})`
    case 'untrusted':
      return `The registry of ${reference} is not trusted, so it was not pushed: give the engine its certificate (${message})`
    case 'unreachable':
      return `The registry could not be reached to push ${reference}, or cannot store it now (${message})`
    case 'absent':
      return `${reference} could not be pushed: the registry has no such repository, and does not make one by itself; create it first (${message})`
    case 'unknown':
      return `${reference} could not be pushed (${message})`
  }
}
