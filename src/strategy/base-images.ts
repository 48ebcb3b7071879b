import type { Base } from '../docker/progress/reader.ts'
import type { Run } from '../plan/run-context.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import { isReference, sameReference } from '../registry/image-reference.ts'

/** All images outside the Dockerfile that a production image was built from, itself or through its stages: `REFERENCE@DIGEST`, separated by spaces. */
export const BASES_LABEL = 'shared-docker-layers.bases'

/**
 * The base images of a run and their digests, for labels of the production image: a later run tells by them whether a base
 * image has moved. The labels must be there before production is built, so a base that no other stage has is looked up.
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
    // whoever awaits it sees a cancellation; until then it is no unhandled rejection
    this.#lookedUp.catch(() => {})
  }

  add(bases: readonly Base[]): void {
    this.#known.push(...bases.filter((base) => !this.#find(base.reference)))
  }

  /** Those of the production image: the standard ones (opencontainers/image-spec annotations.md) of its own base, and ours. */
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
    // what the engine has, it builds on; its digest is not always known then
    const here = await docker.call(['image', 'inspect', '--format', '{{.Id}}', reference], { signal: this.#signal })
    if (here.exitCode === 0) return undefined
    const digest = (await registry.digest(reference)).value
    return digest === undefined ? undefined : { reference, digest }
  }
}

/** `sameReference` for names that may be none. */
export function sameImage(a: string, b: string): boolean {
  return isReference(a) && isReference(b) && sameReference(a, b)
}

/** The digest that a production image's labels tell of a base image. */
export function recordedBase(labels: Record<string, string>, reference: string): string | undefined {
  const bases = (labels[BASES_LABEL] || '').split(' ').map((item) => item.split('@'))
  return bases.find(([name = '']) => sameImage(name, reference))?.[1]
}
