import type { Commit } from '../action/event.ts'
import { OWN_LABELS } from '../action/inputs.ts'
import type { PublicInputs } from '../action/secrets.ts'
import { splitAtEquals } from '../lib/text.ts'
import type { Plan } from './plan.ts'
import type { Labels } from './stage-builds.ts'
import { BUILD_ARGS_LABEL, VARIANT_LABEL } from './variant.ts'

/** Label that names the commit from which an image was built (opencontainers/image-spec annotations.md). */
export const REVISION_LABEL = 'org.opencontainers.image.revision'

/** Label that names the branch from which a builder or a cache stage was built; '' without one, and for production: a deployed image is the same for every branch. */
export const BRANCH_LABEL = 'shared-docker-layers.branch'

/**
 * Returns the OCI labels (opencontainers/image-spec annotations.md) of the images. A rebuild of the same commit gets the same
 * labels. The user's labels override those of production, except the revision: it names the commit that the tag names.
 */
export function makeLabels(
  inputs: Pick<PublicInputs, 'labels'>,
  commit: Pick<Commit, 'sha' | 'sourceUrl' | 'branch'>,
  created: string | undefined,
  { variant, buildArgs }: Pick<Plan, 'variant' | 'buildArgs'>
): Labels {
  const own = {
    ...(created === undefined ? {} : { 'org.opencontainers.image.created': created }),
    ...(commit.sourceUrl === '' ? {} : { 'org.opencontainers.image.source': commit.sourceUrl })
  }
  const revision = { [REVISION_LABEL]: commit.sha }
  const users = Object.fromEntries(inputs.labels.map(splitAtEquals))
  const list = (labels: Record<string, string>): string[] =>
    Object.entries(labels).map(([key, value]) => `${key}=${value}`)
  // a base image or the Dockerfile could have any of these
  const unpublished = list({ ...own, ...revision, [BRANCH_LABEL]: commit.branch, [VARIANT_LABEL]: '' })
  const what = { [BRANCH_LABEL]: '', [VARIANT_LABEL]: variant, [BUILD_ARGS_LABEL]: buildArgs }
  const production = list({ ...own, ...users, ...revision, ...what })
  return { builder: unpublished, stages: unpublished, production }
}

/** Returns whether an image was made by this action, on whichever base image, as far as its labels tell. */
export function isOfAction(labels: Readonly<Record<string, string>>): boolean {
  return Object.keys(labels).some((key) => key.startsWith(OWN_LABELS))
}

/** Returns whether an image of this action is the production image of a run, which somebody may deploy. */
export function isProduction(labels: Readonly<Record<string, string>>): boolean {
  return Boolean(labels[VARIANT_LABEL])
}
