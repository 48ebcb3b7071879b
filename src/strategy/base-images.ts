import type { Base } from '../docker/progress/reader.ts'
import type { Run } from '../plan/run-context.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import { isReference, sameReference } from '../registry/image-reference.ts'

/** Label with all base images of a production image, its own and those of its stages: `REFERENCE@DIGEST`, separated by spaces. */
export const BASES_LABEL = 'shared-docker-layers.bases'

/**
 * Collects the base images of a run and their digests for labels of the production image, by which a later run detects that a
 * base image moved. The production build needs the labels beforehand, so this inspects a base image that no other stage has.
 */
export class BaseImages {
  readonly #run: Pick<Run, 'plan' | 'docker' | 'registry'>
  readonly #signal: AbortSignal
  readonly #known: Base[] = []
  #lookedUp: Promise<Base | undefined> = Promise.resolve(undefined)

  constructor(run: Pick<Run, 'plan' | 'docker' | 'registry'>, signal: AbortSignal) {
    this.#run = run
    this.#signal = signal
  }

  start(): void {
    this.#lookedUp = this.#lookUp()
    // prevents an unhandled rejection; the code that awaits it still receives a cancellation
    this.#lookedUp.catch(() => {})
  }

  add(bases: readonly Base[]): void {
    this.#known.push(...bases.filter((base) => !this.#find(base.reference)))
  }

  /** Returns the labels of production: the standard ones (opencontainers/image-spec annotations.md) of its base image, and BASES_LABEL. */
  async labels(production: StageBuild): Promise<string[]> {
    const lookedUp = await this.#lookedUp
    if (lookedUp) this.add([lookedUp])
    const reference = production.baseImage
    const own = reference === undefined ? undefined : this.#find(reference)
    const all = this.#known.map((base) => `${base.reference}@${base.digest}`)
    return [
      ...(own
        ? [`org.opencontainers.image.base.name=${own.reference}`, `org.opencontainers.image.base.digest=${own.digest}`]
        : []),
      ...(all.length > 0 ? [`${BASES_LABEL}=${all.join(' ')}`] : [])
    ]
  }

  async end(): Promise<void> {
    await this.#lookedUp
  }

  #find(reference: string): Base | undefined {
    return this.#known.find((base) => sameImage(base.reference, reference))
  }

  async #lookUp(): Promise<Base | undefined> {
    const { docker, plan, registry } = this.#run
    const production = plan.builds.at(-1)
    const reference = production?.baseImage
    const others = plan.builds.slice(0, -1).map(({ baseImage }) => baseImage)
    if (reference === undefined) return undefined
    if (others.some((other) => other !== undefined && sameImage(other, reference))) return undefined
    // the engine builds on a local image if it has one; the digest of that is not always known
    const here = await docker.call(['image', 'inspect', '--format', '{{.Id}}', reference], { signal: this.#signal })
    if (here.exitCode === 0) return undefined
    const digest = (await registry.digest(reference)).value
    return digest === undefined ? undefined : { reference, digest }
  }
}

/** Compares names like `sameReference`; false if one is not a reference. */
export function sameImage(a: string, b: string): boolean {
  return isReference(a) && isReference(b) && sameReference(a, b)
}

/** Returns the digest of a base image that the labels of a production image record. */
export function recordedBase(labels: Record<string, string>, reference: string): string | undefined {
  const bases = (labels[BASES_LABEL] || '').split(' ').map((item) => item.split('@'))
  return bases.find(([name = '']) => sameImage(name, reference))?.[1]
}
