import { type ContentKeys, chainOfKeys, shortKey } from '../../cache/key-tags.ts'
import { readKeysLabel } from '../../cache/keys-label.ts'
import { REVISION_LABEL } from '../../plan/labels.ts'
import type { Run } from '../../plan/run-context.ts'
import { VARIANT_LABEL } from '../../plan/variant.ts'

/** What a tag names that the registry does not let change: an image to publish instead, or one clause about another image. */
export type Held = { digest: string; holds?: undefined } | { digest?: undefined; holds: string }

/**
 * Looks whether a tag already names what this run would publish there: an image of the same commit, of the same variant, made of the
 * same content. A run sets such a tag only after all of its tests passed.
 */
export async function findCommitImage(
  { plan, registry }: Pick<Run, 'plan' | 'registry'>,
  reference: string,
  keys: ContentKeys
): Promise<Held> {
  const { image, failure } = await registry.current(reference)
  if (failure) return { holds: `an image that cannot be inspected (${failure.message})` }
  const { [REVISION_LABEL]: revision = '', [VARIANT_LABEL]: variant } = image.labels
  if (revision !== plan.commit.sha)
    return { holds: revision === '' ? 'an image of no commit' : `an image of commit ${revision}` }
  if (variant !== plan.variant) return { holds: 'another variant of the image of this commit' }
  const production = plan.builds.find(({ kind }) => kind === 'production')
  const own = production && chainOfKeys(production, keys).map(({ key }) => (key === undefined ? '' : shortKey(key)))
  const recorded = readKeysLabel(image.labels)?.chain.map(({ key }) => key)
  if (image.digest === undefined || !own?.length || recorded === undefined) {
    return { holds: 'an image of this commit, but it is unknown of what content' }
  }
  if (own.join() !== recorded.join()) {
    return {
      holds: 'an image of this commit that was made of other content, such as another base image or build argument'
    }
  }
  return { digest: image.digest }
}

/** Returns the sentence about a tag that keeps its image. */
export function describeKept(reference: string, digest: string): string {
  return `${reference} already names an image of this commit with the same content, and the registry does not let this tag change: this run publishes that image (${digest}) instead of its own`
}
