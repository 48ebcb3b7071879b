import type { Commit } from '../action/event.ts'
import type { PublicInputs } from '../action/secrets.ts'
import { splitAtEquals } from '../lib/text.ts'
import { type Fingerprints, INPUTS_LABEL, TESTS_LABEL } from './fingerprints.ts'
import type { Labels } from './stage-builds.ts'
import { VARIANT_LABEL } from './variant.ts'

/** Label that names the commit from which an image was built (opencontainers/image-spec annotations.md). */
export const REVISION_LABEL = 'org.opencontainers.image.revision'

/**
 * Returns the OCI labels (opencontainers/image-spec annotations.md) of the images. A rebuild of the same commit gets the same
 * labels. The user's labels override those of production, except the revision: it names the commit that the tag names.
 */
export function makeLabels(
  inputs: Pick<PublicInputs, 'labels'>,
  commit: Pick<Commit, 'sha' | 'sourceUrl'>,
  created: string | undefined,
  fingerprints: Fingerprints,
  variant: string
): Labels {
  const own = {
    ...(created === undefined ? {} : { 'org.opencontainers.image.created': created }),
    ...(commit.sourceUrl === '' ? {} : { 'org.opencontainers.image.source': commit.sourceUrl })
  }
  const revision = { [REVISION_LABEL]: commit.sha }
  const users = Object.fromEntries(inputs.labels.map(splitAtEquals))
  const list = (labels: Record<string, string>): string[] =>
    Object.entries(labels).map(([key, value]) => `${key}=${value}`)
  const builtFrom = { [INPUTS_LABEL]: fingerprints.inputs }
  // set even without tests: the image would inherit this label of its base image
  const tests = { [TESTS_LABEL]: fingerprints.tests ?? 'none' }
  return {
    builder: list({ ...own, ...revision, ...builtFrom, ...tests }),
    stages: list({ ...own, ...revision }),
    production: list({ ...own, ...users, ...revision, ...builtFrom, [VARIANT_LABEL]: variant })
  }
}
