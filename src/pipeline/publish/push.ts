import { failureOf } from '../../docker/errors.ts'
import { callInSection } from '../../docker/transfer.ts'
import { CancelledError } from '../../lib/errors.ts'
import type { ExecResult } from '../../lib/exec.ts'
import { retry } from '../../lib/retry.ts'
import { type Run, retryOf } from '../../plan/run-context.ts'
import { failureOfWords, transientFailure } from '../../registry/client-words.ts'
import type { RegistryFailure } from '../../registry/failure.ts'
import { sameRepository } from '../../registry/image-reference.ts'
import type { Failure } from '../../result/result.ts'

/** The pushes of a run, and their results. */
export class Pushes {
  /** Digests of the pushed references, as the engine reported them; '' if it did not. */
  readonly digests = new Map<string, string>()
  readonly failures: Failure[] = []
  readonly #begun = new Map<string, Promise<void>>()
  readonly #run: Pick<Run, 'plan' | 'docker' | 'registry' | 'log' | 'timeline' | 'signal'>

  constructor(run: Pick<Run, 'plan' | 'docker' | 'registry' | 'log' | 'timeline' | 'signal'>) {
    this.#run = run
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
    if (digest === '' || !sameRepository(image, reference)) return this.#push(reference)
    const { failure } = await registry.tag(`${image}@${digest}`, [reference])
    if (failure === undefined) {
      log.info(`Tagged ${image}@${digest} as ${reference}`)
      this.digests.set(reference, digest)
    } else if (failure.kind === 'unreachable' && !failure.clientMaySucceed) {
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
    const whyFailed = (one: ExecResult): RegistryFailure | undefined => {
      const text = failureOf(one)
      return text === undefined ? undefined : failureOfWords(text, reference)
    }
    const result = await retry(
      retryOf(this.#run),
      title,
      () => callInSection(this.#run, 'publish', title, ['push', reference], this.#run.signal),
      (one) => transientFailure(whyFailed(one))
    )
    const failure = whyFailed(result)
    // the last line of the engine, unchanged since Docker 1.6 (moby/moby daemon/internal/distribution/push_v2.go)
    const digest = /digest: (sha256:[0-9a-f]{64}) size: \d+/.exec(result.stdout)?.[1] ?? ''
    // docker 28 may exit with 0 although a signal ended it before the push was complete (docker/cli cmd/docker/docker.go)
    if (failure === undefined && digest === '' && this.#run.signal.aborted) throw new CancelledError()
    if (failure === undefined) this.digests.set(reference, digest)
    else this.failures.push({ kind: 'push', reference, failure })
  }
}
