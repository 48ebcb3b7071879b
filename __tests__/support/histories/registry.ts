import type { RegistryFailure } from '../../../src/registry/failure.ts'
import type { ImageRecord } from '../../../src/registry/image.ts'
import { Contents } from '../fake-registry.ts'

/** What the registry has, as one run sees it: it tells who sets which tag. */
export class ContentsOfRun extends Contents {
  readonly #all: Contents
  readonly #onPut: (reference: string, image: ImageRecord) => void

  constructor(all: Contents, onPut: (reference: string, image: ImageRecord) => void) {
    super()
    this.#all = all
    this.#onPut = onPut
  }

  override get(reference: string): ImageRecord | undefined {
    return this.#all.get(reference)
  }

  override put(reference: string, image: ImageRecord): void {
    this.#all.put(reference, image)
    this.#onPut(reference, image)
  }
}

export const UNREACHABLE: RegistryFailure = { kind: 'unreachable', message: '503 Service Unavailable' }
export const REFUSED: RegistryFailure = { kind: 'refused', message: '403 Forbidden' }
