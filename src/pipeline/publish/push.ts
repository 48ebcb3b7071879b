import type { ContentKeys } from '../../cache/key-tags.ts'
import { failureOf } from '../../docker/errors.ts'
import { callInSection } from '../../docker/transfer.ts'
import { CancelledError } from '../../lib/errors.ts'
import type { ExecResult } from '../../lib/exec.ts'
import { retry } from '../../lib/retry.ts'
import { type Run, retryOf } from '../../plan/run-context.ts'
import { failureOfWords, statusOfRejectedManifest, transientFailure } from '../../registry/client-words.ts'
import type { RegistryFailure } from '../../registry/failure.ts'
import { sameRepository } from '../../registry/image-reference.ts'
import type { Failure } from '../../result/result.ts'
import { describeKept, findCommitImage } from './commit-image.ts'

/** The pushes of a run, and their results. */
export class Pushes {
  /** Digests of the pushed references, as the engine reported them; '' if it did not. */
  readonly digests = new Map<string, string>()
  readonly failures: Failure[] = []
  /** Tags that the registry does not let change, and that already name an image of this commit with the same content. */
  readonly kept = new Set<string>()
  readonly #begun = new Map<string, Promise<void>>()
  readonly #run: Pick<Run, 'plan' | 'docker' | 'registry' | 'log' | 'timeline' | 'signal'>

  readonly #keys: ContentKeys

  constructor(run: Pick<Run, 'plan' | 'docker' | 'registry' | 'log' | 'timeline' | 'signal'>, keys: ContentKeys) {
    this.#run = run
    this.#keys = keys
  }

  mayGoOn(): boolean {
    return this.failures.length === 0 && !this.#run.signal.aborted
  }

  /** Pushes a reference, once however often it is called. */
  push(reference: string): Promise<void> {
    return this.#once(reference, () => this.#push(reference))
  }

  /**
   * Sets a further tag on a pushed image. The engine pushes it only if the action itself cannot access the registry.
   *
   * @param digest of the image in the repository of the input `image`; '' if unknown
   */
  tag(reference: string, digest: string): Promise<void> {
    return this.#once(reference, () => this.#tag(reference, digest))
  }

  #once(reference: string, work: () => Promise<void>): Promise<void> {
    const begun = this.#begun.get(reference) ?? work()
    this.#begun.set(reference, begun)
    return begun
  }

  async #tag(reference: string, digest: string): Promise<void> {
    const { plan, registry, log } = this.#run
    const { image } = plan.inputs
    // the engine has another image than the commit tag if that was kept
    const isOfEngine = !sameRepository(image, reference) && !this.kept.has(plan.refs.production)
    if (digest === '' || isOfEngine) return this.#push(reference)
    const { failure } = await registry.tag(`${image}@${digest}`, [reference])
    if (failure === undefined) {
      log.info(`Tagged ${image}@${digest} as ${reference}`)
      this.digests.set(reference, digest)
    } else if (failure.kind === 'immutable') {
      await this.#keep(reference, failure)
    } else if ((failure.kind === 'unreachable' && !failure.clientMaySucceed) || this.kept.has(plan.refs.production)) {
      this.failures.push({ kind: 'push', reference, failure })
    } else {
      await this.#push(reference)
      const pushed = this.digests.get(reference) ?? ''
      if (pushed !== '' && pushed !== digest)
        this.failures.push({ kind: 'other-image', reference, pushed, built: digest })
    }
  }

  async #push(reference: string): Promise<void> {
    const title = `Push ${reference}`
    let attempts = 0
    const attempt = async (): Promise<{ result: ExecResult; failure: RegistryFailure | undefined }> => {
      const result = await callInSection(this.#run, 'publish', title, ['push', reference], this.#run.signal)
      const text = failureOf(result)
      const isFirst = attempts++ === 0
      return { result, failure: text === undefined ? undefined : await this.#explain(reference, text, isFirst) }
    }
    const whyAgain = (one: { failure: RegistryFailure | undefined }): RegistryFailure | undefined =>
      transientFailure(one.failure)
    const { result, failure } = await retry(retryOf(this.#run), title, attempt, whyAgain)
    // the last line of the engine, unchanged since Docker 1.6 (moby/moby daemon/internal/distribution/push_v2.go)
    const digest = /digest: (sha256:[0-9a-f]{64}) size: \d+/.exec(result.stdout)?.[1] ?? ''
    // docker 28 may exit with 0 although a signal ended it before the push was complete (docker/cli cmd/docker/docker.go)
    if (failure === undefined && digest === '' && this.#run.signal.aborted) throw new CancelledError()
    if (failure === undefined) this.digests.set(reference, digest)
    else await this.#keep(reference, failure)
  }

  /** Determines the failure of a push, also if the engine omits the words of the registry. */
  async #explain(reference: string, text: string, isFirst: boolean): Promise<RegistryFailure> {
    const failure = failureOfWords(text, reference)
    const status = failure.kind === 'immutable' ? undefined : statusOfRejectedManifest(text)
    // one of two concurrent pushes may have overtaken the other's upload of a shared layer: that is 400 once
    const mayBeOvertaken = status === 400 && isFirst && this.#run.plan.inputs.retries > 0
    if (status === undefined || status === 403 || mayBeOvertaken || this.#run.signal.aborted) return failure
    // if the tag does not exist, the registry rejects the manifest for another reason
    const exists = (await this.#run.registry.digest(reference)).value !== undefined
    return exists ? { ...failure, kind: 'immutable' } : failure
  }

  /** Handles a failed push. If the registry does not let the tag change, the tag may already name an image of the same content. */
  async #keep(reference: string, failure: RegistryFailure): Promise<void> {
    const { production, further } = this.#run.plan.refs
    const mayBeImmutable = failure.kind === 'immutable' || statusOfRejectedManifest(failure.message) === 403
    if (!mayBeImmutable || ![production, ...further].includes(reference)) {
      // moving tags are set at the same time, and one sentence tells why none of them can move
      if (failure.kind !== 'immutable' || !this.failures.some(isImmovable))
        this.failures.push({ kind: 'push', reference, failure })
      return
    }
    const { digest, holds } = await findCommitImage(this.#run, reference, this.#keys)
    if (digest === undefined) {
      this.failures.push({ kind: 'push', reference, failure, holds })
      return
    }
    this.#run.log.notice(describeKept(reference, digest))
    this.kept.add(reference)
    this.digests.set(reference, digest)
  }
}

function isImmovable(failure: Failure): boolean {
  return failure.kind === 'push' && failure.failure.kind === 'immutable' && failure.holds === undefined
}
