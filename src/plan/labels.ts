import type { Commit } from '../action/event.ts'
import type { PublicInputs } from '../action/secrets.ts'
import { splitAtEquals } from '../lib/text.ts'
import { type Fingerprints, INPUTS_LABEL, TESTS_LABEL } from './fingerprints.ts'
import type { Labels } from './stage-builds.ts'

/** The commit that an image was built from (opencontainers/image-spec annotations.md). */
export const REVISION_LABEL = 'org.opencontainers.image.revision'

/**
 * OCI labels (opencontainers/image-spec annotations.md) of both images. They say nothing that a rebuild of the same commit
 * would say otherwise. The user's own come on top, but for the revision: it names the commit that the tag names.
 */
export function makeLabels(
  inputs: Pick<PublicInputs, 'labels'>,
  commit: Pick<Commit, 'sha' | 'sourceUrl'>,
  created: string | undefined,
  fingerprints: Fingerprints
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
  // a label of the base image would be inherited
  const tests = { [TESTS_LABEL]: fingerprints.tests ?? 'none' }
  return {
    builder: list({ ...own, ...revision, ...builtFrom, ...tests }),
    stages: list({ ...own, ...revision }),
    production: list({ ...own, ...users, ...revision, ...builtFrom })
  }
}
