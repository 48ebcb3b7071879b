import type { Run } from '../../plan/run-context.ts'
import type { ManifestRecord, ReadImage } from '../../registry/image.ts'
import { look } from '../../registry/look.ts'
import type { PullSize } from '../../result/result.ts'

/**
 * Computes what a host with `before` must pull for `image`, whatever engine it runs: a graph driver reuses a layer only above the
 * same lower ones (moby/moby layer/layer.go, ChainID), so only layers with which both images begin count as reused. With the
 * containerd store it may be less. A repeated layer is fetched once.
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

/**
 * Determines what a host must pull of an image, by its manifest and that of the image under production's moving tag before this run.
 *
 * @param image REPOSITORY@DIGEST
 * @returns undefined if the manifests could not be inspected
 */
export async function weigh(
  { registry, plan, log }: Pick<Run, 'plan' | 'registry' | 'log'>,
  image: string
): Promise<PullSize | undefined> {
  const previous = plan.refs.movingProduction
  const [now, before] = await Promise.all([look(registry, image), look(registry, previous)])
  const why = now.failure?.message ?? whyUnknown(before)
  if (now.image?.manifest && why === undefined) return pullSize(now.image.manifest, before.image?.manifest, previous)
  log.info(`Cannot determine the pull size of ${plan.refs.production}: ${why ?? 'its manifest names no sizes'}`)
  return undefined
}

/** Returns why the layers of the previous image are unknown; the first image of a repository has none, and is pulled whole. */
function whyUnknown({ image, failure }: ReadImage): string | undefined {
  if (image) return image.manifest ? undefined : 'the manifest of the previous image names no sizes'
  return failure.kind === 'absent' ? undefined : failure.message
}
