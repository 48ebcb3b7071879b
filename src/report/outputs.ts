import { parseRepository } from '../registry/image-reference.ts'
import { repositoryOf } from '../registry/reference.ts'
import type { Miss } from '../result/result.ts'
import type { Report } from './report.ts'

/** The outputs of action.yml, one field each. */
export interface Outputs {
  image: string
  'short-sha': string
  branch: string
  'builder-image': string
  'image-id': string
  digest: string
  ref: string
  tags: string
  'cache-tags': string
  pushed: string
  published: string
  'publish-reason': string
  'cache-hit': string
  'cached-steps': string
  'total-steps': string
  'pull-bytes': string
  'pull-bytes-full': string
  cache: string
  tests: string
  engine: string
  'platform-result': string
  report: string
}

/**
 * Returns the value of every output, whatever happened: a forged workflow command could set an output that the action left unset.
 *
 * @param path of the JSON report; '' if there is none
 */
export function makeOutputs(report: Report, path: string): Outputs {
  const { builder, production, publication, unchanged, cache, pullSize, engine, platforms } = report
  const all = platforms?.flatMap(({ platform, tests }) => tests.map((test) => ({ ...test, platform }))) ?? report.tests
  return {
    image: production?.imageId
      ? production.image
      : platforms
        ? (publication?.pushed[0] ?? '')
        : unchanged
          ? (publication?.pushed[0] ?? unchanged.image)
          : '',
    'short-sha': report.commit?.slice(0, 7) ?? '',
    branch: report.branch ?? '',
    'builder-image': builder?.imageId ? builder.image : '',
    'image-id': production?.imageId ?? '',
    digest: publication?.digest ?? '',
    ref: publishedImage(report),
    tags: publication?.pushed.join('\n') ?? '',
    'cache-tags': report.cacheTags.join('\n'),
    pushed: String((publication?.pushed.length ?? 0) > 0),
    published: String(publication?.published ?? false),
    'publish-reason': report.publishReason,
    'cache-hit': cache.hit,
    'cached-steps': String(cache.cached),
    'total-steps': String(cache.total),
    'pull-bytes': String(pullSize?.bytes ?? ''),
    'pull-bytes-full': String(pullSize?.fullBytes ?? ''),
    cache: JSON.stringify(
      cache.stages.map(({ miss, ...stage }) => ({ ...stage, ...(miss && { miss: withoutStage(miss) }) }))
    ),
    tests: JSON.stringify(
      all.map(({ kind, command, status, exitCode, seconds, passedFor, ...test }) => ({
        ...('platform' in test && { platform: test.platform }),
        ...(kind !== undefined && { kind }),
        ...{ command, status, exitCode, seconds },
        ...(passedFor !== undefined && { passedFor })
      }))
    ),
    engine: engine ? JSON.stringify({ version: engine.version, store: engine.store, strategy: engine.strategy }) : '{}',
    'platform-result': report.platformResult ?? '',
    report: path
  }
}

/** Returns the published production image as IMAGE@DIGEST; '' if nothing was pushed. */
function publishedImage({ references, publication }: Report): string {
  if (references === undefined || !publication?.digest) return ''
  return `${repositoryOf(references.production)}@${publication.digest}`
}

/**
 * Returns the line for the file that GITHUB_ARTIFACTS names, from which actions/attest finds its subject (actions/runner
 * CreateArtifactsFileCommand.cs); '' if nothing was pushed, or the run failed. The subject has a full name: actions/attest needs the registry.
 */
export function artifactOf(report: Report): string {
  const [name = '', digest] = publishedImage(report).split('@')
  // after a failure, the image may be another one than the one that was tested
  if (digest === undefined || report.failures.length > 0) return ''
  const { registry, path } = parseRepository(name)
  return `oci://${registry}/${path}@${digest}`
}

function withoutStage({ stage: _, ...miss }: Miss): Omit<Miss, 'stage'> {
  return miss
}
