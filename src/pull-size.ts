/** An image as its manifest tells of it (OCI image-spec manifest.md). */
export interface ManifestRecord {
  /** Bytes of the manifest and of the config. */
  bytes: number
  /** The lowest first. */
  layers: { digest: string; size: number }[]
}

/** What a host must pull to have an image. */
export interface PullSize {
  /** The image that the host has already; undefined if there is none, because this is the first. */
  previous?: string
  /** Bytes that it must pull, compressed as they are in the registry, and what a host without any image must. */
  bytes: number
  fullBytes: number
  layers: number
  reusedLayers: number
}

/**
 * What a host that has `before` must pull to have `image`, whatever engine it runs: a graph driver keeps a layer only above
 * the same lower ones (moby/moby layer/layer.go, ChainID), so those count that both images begin with. With the containerd store
 * it may be less. A layer that comes twice is fetched once.
 */
export function pullSize(image: ManifestRecord, before: ManifestRecord | undefined, previous?: string): PullSize {
  const differs = image.layers.findIndex(({ digest }, index) => digest !== before?.layers[index]?.digest)
  const reusedLayers = differs === -1 ? image.layers.length : differs
  return {
    ...(before !== undefined && previous !== undefined && { previous }),
    bytes: sizeOf(image.layers.slice(reusedLayers)) + image.bytes,
    fullBytes: sizeOf(image.layers) + image.bytes,
    layers: image.layers.length,
    reusedLayers
  }
}

function sizeOf(layers: ManifestRecord['layers']): number {
  const sizes = new Map(layers.map(({ digest, size }) => [digest, size]))
  return [...sizes.values()].reduce((sum, size) => sum + size, 0)
}
