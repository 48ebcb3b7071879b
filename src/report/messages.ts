import { isMountSource } from '../registry/image-reference.ts'
import { describeStep } from '../result/cache-verdict.ts'
import { buildsOf, type Failure, type Miss, type RunResult } from '../result/result.ts'

/** The part of a result that the sentences name. */
type Described = Pick<RunResult, 'builder' | 'cacheStages' | 'production' | 'tests' | 'platforms'>

/** Returns the sentence for people about a failure of a run. */
export function describeFailure(failure: Failure, result: Described): string {
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
    case 'platform': {
      const { platform } = failure
      const one = result.platforms?.find((other) => other.platform === platform)
      const own = one?.failures[failure.index]
      return `${platform}: ${one && own ? describeFailure(own, one) : 'the image was not made'}`
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
      return describeFailedPush(failure, basesInRegistryOf(failure.reference, result))
    case 'guard':
      return `Cannot inspect the published image ${failure.reference}, so the moving tags are not updated: they might go back to an older commit (${failure.failure.message}). Make sure that this step may read ${failure.reference}, then run it again`
    case 'images-gone':
      return `The images that this run built are not in the engine any more (${failure.message})${hasChecks(result) ? '; let no check remove them' : ''}`
    case 'name-taken':
      return `${failure.reference} names another image than the one that this run built, so nothing is pushed: ${whoTook(result)}`
    case 'other-image':
      return `${failure.reference} was pushed with another image (${failure.pushed}) than the one that this run built (${failure.built}), so no other tag is set: ${whoTook(result)}`
  }
}

function hasChecks({ tests }: Pick<RunResult, 'tests'>): boolean {
  return tests.some(({ kind }) => kind === 'check')
}

/** Returns who may have given the name of an image to another one, and what to do: a check is a command of the user's. */
function whoTook(result: Pick<RunResult, 'tests'>): string {
  return hasChecks(result)
    ? 'a check or another run on the same engine has taken the name; let no check set or remove it, and give each runner an engine of its own'
    : 'another run on the same engine has taken the name; give each runner an engine of its own'
}

/** Returns all explained cache misses of a run. */
export function missesOf(result: Pick<RunResult, 'builder' | 'cacheStages' | 'production'>): Miss[] {
  return buildsOf(result).flatMap(({ misses = [] }) => misses)
}

/** Returns the sentence for an unexpected cache miss. */
export function describeUnexpected(miss: Miss): string {
  return `Unexpected cache miss in stage ${miss.stage}, none of whose inputs has changed: ${describeStep(miss)}. ${miss.reason}`
}

/** Returns the base images that the registry of a reference holds in other repositories. */
function basesInRegistryOf(reference: string, result: Parameters<typeof missesOf>[0]): string[] {
  const bases = buildsOf(result).flatMap((build) => build.bases.map((base) => base.reference))
  return [...new Set(bases)].filter((base) => isMountSource(base, reference))
}

/**
 * Returns one sentence for a failed push.
 *
 * @param bases base images in the same registry: with the containerd store, an engine mounts their layers and does not push without them
 */
function describeFailedPush(
  { reference, failure, holds }: Extract<Failure, { kind: 'push' }>,
  bases: string[]
): string {
  const { kind, message } = failure
  const [, source] = /[?&]mount=[^&\s]+&from=([^&:\s]+): 40[13]/.exec(message) ?? []
  switch (kind) {
    case 'refused':
      if (source !== undefined) {
        return `Access denied to push ${reference}: the registry does not let the engine mount a layer from its repository ${decodeURIComponent(source)}; log in with a token that may also read that repository (${message})`
      }
      // registries answer "denied" to known users, and "unauthorized" to unknown ones
      return /denied|forbidden|\b403\b|insufficient_scope/i.test(message.replaceAll(reference, '')) &&
        !/invalid_token/.test(message)
        ? `Access denied to push ${reference}: log in to the registry before this step, with a token that may write to this repository (on ghcr.io the job needs permissions: packages: write)${alsoRead(bases)} (${message})`
        : `Access denied to push ${reference}: log in to the registry before this step; the user name or the token is missing, wrong or expired (on ghcr.io the job needs permissions: packages: write) (${message})`
    case 'untrusted':
      return `The registry of ${reference} is not trusted, so it was not pushed: give the engine its certificate (${message})`
    case 'unreachable':
      return `The registry could not be reached to push ${reference}, or cannot store it now (${message})`
    case 'immutable':
      return holds === undefined
        ? `${reference} cannot move to the new image, because the registry does not let this tag change: moving tags must be allowed to move, so exclude them from the immutable tags of this repository (${message})`
        : `${reference} already names ${holds}, and the registry does not let this tag change: delete the tag, or publish to another repository (input image) or under another tag (${message})`
    case 'absent':
      return `${reference} could not be pushed: the registry has no such repository, and does not make one by itself; create it first (${message})`
    case 'unknown':
      return `${reference} could not be pushed (${message})`
  }
}

/** An engine with the containerd store does not tell a push from a mount that was refused. */
function alsoRead(bases: readonly string[]): string {
  return bases.length === 0 ? '' : ` and read ${bases.join(', ')}, from which the engine may mount layers`
}
