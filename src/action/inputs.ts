import { UserError } from '../lib/errors.ts'
import { quote, show } from '../lib/text.ts'
import { parseRepository } from '../registry/image-reference.ts'
import {
  type BuildContext,
  readAddHosts,
  readAnnotations,
  readAttestation,
  readBuildContexts,
  readSsh,
  readUlimits
} from './build-inputs.ts'
import {
  argument,
  check,
  type Get,
  lineBeginning,
  lines,
  minutes,
  oneOf,
  optional,
  pair,
  path,
  records,
  required,
  retries,
  wholeNumber,
  words,
  yesOrNo
} from './input-values.ts'
import { readPlatforms } from './platforms.ts'
import { readPublishBranches } from './publish-branches.ts'
import { runOption } from './run-options.ts'
import {
  checkSecretIds,
  readSecretEnvs,
  readSecretFiles,
  readSecrets,
  type Secret,
  type SecretEnv,
  type SecretFile
} from './secret-inputs.ts'
import { commitTag, crossCheckTags, furtherTag, movingTag } from './tag-inputs.ts'
import { readChecks, readTests, type Test } from './tests.ts'

/** `auto`, `none`, or names of stages. */
export type CacheStagesInput = 'auto' | 'none' | string[]

/** Values of the input `expect-cache`. */
export type ExpectCache = 'none' | 'warn' | 'fail'

/** `all`: every run that may push writes cache tags; `publish-branch`: only those that promote; `none`: nothing reads or writes them. */
export type CacheTagsInput = 'all' | 'publish-branch' | 'none'

/** `auto`: trusted events push, forks and Dependabot only build and test. */
export type PushMode = 'auto' | 'always' | 'never'

/** The inputs of action.yml, one field each, typed and validated. */
export interface Inputs {
  image: string
  context: string
  file: string | undefined
  builderTarget: string
  target: string | undefined
  tests: Test[]
  /** In containers of the production image. */
  productionTests: Test[]
  /** Commands of the runner, without options. */
  checks: Test[]
  /** Arguments of docker run, for every test. */
  testOptions: string[]
  /** Maximum number of tests at the same time; undefined: all. */
  testParallelism: number | undefined
  testTimeoutMinutes: number | undefined
  /** Files or folders in a test's container, absolute or relative to its working directory. */
  testReports: string[]
  /** The folder that receives them. */
  reportsDirectory: string
  skipUnchangedTests: boolean
  /** NAME=value, or only NAME for the value in the environment. */
  buildArgs: string[]
  /** key=value */
  labels: string[]
  /** key=value, or manifest:key=value */
  annotations: string[]
  secrets: Secret[]
  secretFiles: SecretFile[]
  /** Their values are among `secrets` as soon as the environment is read. */
  secretEnvs: SecretEnv[]
  ssh: string[]
  addHosts: string[]
  network: string | undefined
  platform: string | undefined
  /** Those of the image that other jobs, or this one, join. Empty for an image of one platform. */
  platforms: string[]
  shmSize: string | undefined
  /** type=soft[:hard] */
  ulimit: string[]
  buildContexts: BuildContext[]
  /** Whether all stages are built without any cache. */
  noCache: boolean
  /** Names of the stages that are built without any cache. */
  noCacheFilters: string[]
  /** Whether the builds use the images that the registries have now, whatever the engine has. */
  pull: boolean
  /** `true` or attributes; undefined: no provenance attestation. */
  provenance: string | undefined
  /** `true` or attributes; undefined: no SBOM attestation. */
  sbom: string | undefined
  /** Full references. */
  tags: string[]
  /** Text with one placeholder, `{short}` or `{sha}`. */
  commitTag: string
  builderTag: string
  latestTag: string
  cacheStages: CacheStagesInput
  cacheTags: CacheTagsInput
  expectCache: ExpectCache
  /** Names of branches, and after the first one patterns; empty: the default branch. */
  publishBranch: string[]
  push: PushMode
  /** Whether to print the plan without executing it. */
  dryRun: boolean
  /** Number of retries of a registry request after a transient error. */
  retries: number
  builder: string | undefined
  /** Whether the post step removes the images that the run added; `auto`: as `removesImages` decides. */
  removeImages: 'auto' | 'always' | 'never'
  githubToken: string | undefined
}

/**
 * Reads and validates all inputs.
 *
 * @param get returns the value of an input by its name in action.yml, or '' if it is not set
 * @throws UserError with one sentence that names the input, what is wrong and what would be right
 */
export function readInputs(get: (name: string) => string): Inputs {
  const image = required(get, 'image', 'the repository to publish to, for example ghcr.io/octo/app')
  const { registry } = check('image', () => parseRepository(image))
  if (/[A-Z]/.test(registry) && !/[.:]/.test(registry)) {
    // docker interprets it as the host of a registry, but it is an owner in GitHub's spelling
    throw new UserError(
      `Input image is ${quote(image)}, with upper-case letters; registries allow lower case only: ${show(image.toLowerCase())}`
    )
  }
  return {
    image,
    context: path(get, 'context') ?? '.',
    file: path(get, 'file'),
    builderTarget: argument(get, 'builder-target') ?? 'builder',
    target: argument(get, 'target'),
    tests: readTests('tests', get('tests')),
    productionTests: readTests('production-tests', get('production-tests')),
    checks: readChecks(get('checks')),
    testOptions: lines(get, 'test-options').flatMap((line) => runOption('test-options', line)),
    testParallelism: wholeNumber(get, 'test-parallelism'),
    testTimeoutMinutes: minutes(get, 'test-timeout-minutes'),
    testReports: words(get, 'test-reports').map(containerPath),
    reportsDirectory: path(get, 'reports-directory') ?? 'test-reports',
    skipUnchangedTests: yesOrNo(get, 'skip-unchanged-tests'),
    buildArgs: records(get, 'build-args').map((item) => pair('build-args', 'NAME=value', item, true)),
    labels: records(get, 'labels').map(label),
    annotations: readAnnotations(get),
    secrets: readSecrets(get)[0],
    secretFiles: readSecretFiles(get),
    secretEnvs: readSecretEnvs(get),
    ssh: readSsh(get),
    addHosts: readAddHosts(get),
    network: argument(get, 'network'),
    ...readPlatforms(get),
    shmSize: argument(get, 'shm-size'),
    ulimit: readUlimits(get),
    buildContexts: readBuildContexts(get),
    noCache: yesOrNo(get, 'no-cache'),
    noCacheFilters: [...new Set(words(get, 'no-cache-filters'))],
    pull: yesOrNo(get, 'pull'),
    provenance: readAttestation(get, 'provenance', 'attributes such as mode=max'),
    sbom: readAttestation(get, 'sbom', 'generator=IMAGE'),
    tags: words(get, 'tags').map((item) => furtherTag(image, item)),
    commitTag: commitTag(get),
    builderTag: movingTag(get, 'builder-tag', 'builder'),
    latestTag: movingTag(get, 'latest-tag', 'latest'),
    cacheStages: cacheStages(get),
    cacheTags: oneOf(get, 'cache-tags', ['all', 'publish-branch', 'none'], 'all'),
    expectCache: oneOf(get, 'expect-cache', ['none', 'warn', 'fail'], 'warn'),
    publishBranch: readPublishBranches(get),
    push: oneOf(get, 'push', ['auto', 'always', 'never'], 'auto'),
    dryRun: yesOrNo(get, 'dry-run'),
    retries: retries(get),
    builder: argument(get, 'builder'),
    removeImages: oneOf(get, 'remove-images', ['auto', 'always', 'never'], 'auto'),
    githubToken: optional(get, 'github-token')
  }
}

/**
 * Validates conditions on more than one input.
 *
 * @throws UserError
 */
export function crossCheck(inputs: Inputs): void {
  crossCheckTags(inputs)
  checkSecretIds(inputs)
}

function label(item: string): string {
  const [key = ''] = pair('labels', 'key=value', item).split('=')
  if (key.startsWith(OWN_LABELS)) {
    throw new UserError(
      `Input labels has ${lineBeginning(item)}; only the action sets labels that begin with ${OWN_LABELS}: use another prefix`
    )
  }
  return item
}

/** With which the names of the action's own labels begin. */
export const OWN_LABELS = 'shared-docker-layers.'

function cacheStages(get: Get): CacheStagesInput {
  const items = words(get, 'cache-stages')
  const [only = 'auto'] = items
  if (items.length <= 1 && (only === 'auto' || only === 'none')) return only
  const word = items.find((item) => item === 'auto' || item === 'none' || /\s|^-/.test(item))
  if (word !== undefined) {
    throw new UserError(
      `Input cache-stages has the line ${quote(word)} among others; it must be auto, none, or names of stages, one a line`
    )
  }
  return [...new Set(items)]
}

/** Validates the path of one file or folder: docker supports no wildcards here. */
function containerPath(item: string): string {
  if (/[*?\0]/.test(item)) {
    throw new UserError(
      `Input test-reports has the line ${quote(item)}; each line must be one file or folder in the container, without wildcards`
    )
  }
  return item
}
