import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { messageOf, UserError } from '../lib/errors.ts'
import { hashOf } from '../lib/hash.ts'
import { parseJson } from '../lib/json.ts'
import type { Span } from '../lib/timeline.ts'
import { isReference } from '../registry/image-reference.ts'
import { HAND_OFF_SCHEMA, PLATFORM_RESULT_SCHEMA, TEST_RESULT_SCHEMA } from './hand-off-schema.ts'
import type { Build, HandedOn, PlatformResult, TestResult } from './result.ts'

/** How images travel between machines: through the registry, or in an archive beside the hand-off. */
export type Transport = HandedOn['transport']

/** Names of the files in the folder of a hand-off. */
export const HAND_OFF_FILE = 'hand-off.json'
export const ARCHIVE_FILE = 'images.tar'

/** The image of a stage. Its digest is '' if it is in the archive. */
export type HandedImage = HandedOn['images'][number]

/** What the machine that built hands to those that test and publish; docs/hand-off-1.schema.json describes it. */
export interface HandOff {
  version: 1
  /** GITHUB_RUN_ID; '' outside GitHub. */
  runId: string
  /** The commit that was built, its full ID. */
  commit: string
  image: string
  variant: string
  buildArgs: string
  /** The texts of the inputs that the tests need, by name. */
  inputs: Record<string, string>
  /** The indices of the tests that must run, from 0. */
  tests: number[]
  transport: Transport
  /** Of the image in which the tests run, or of the archive; '' if an earlier run has published the same content. */
  digest: string
  /** The images of all stages up to the builder stage, which is the last one; none if `digest` is ''. */
  images: HandedImage[]
  /** When the machine began, in milliseconds since 1970. */
  startedAt: number
  builds: Build[]
  timeline: Span[]
}

/** The result of one test on another machine; docs/test-result-1.schema.json describes it. */
export interface HandedResult {
  version: 1
  runId: string
  /** GITHUB_RUN_ATTEMPT, from 1: the newest result of a test counts. */
  attempt: number
  commit: string
  /** `imagesOf` the hand-off. */
  images: string
  /** The index of the test. */
  index: number
  /** What was tested how: of the command and its options. */
  fingerprint: string
  startedAt: number
  result: TestResult
  timeline: Span[]
}

/** What the machine of one platform hands to the one that joins all; docs/platform-result-1.schema.json describes it. */
export interface HandedPlatform
  extends Pick<PlatformResult, 'platform' | 'digest' | 'tests' | 'unchanged' | 'cacheTags' | 'pullSize'> {
  version: 1
  runId: string
  /** GITHUB_RUN_ATTEMPT, from 1: the newest result of a platform counts. */
  attempt: number
  commit: string
  image: string
  variant: string
  buildArgs: string
  startedAt: number
  builds: Build[]
  timeline: Span[]
}

/** Returns what tells the images of a hand-off from all others: 64 hex digits. */
export function imagesOf({ transport, digest, images }: Pick<HandOff, 'transport' | 'digest' | 'images'>): string {
  return hashOf([transport, digest, images.map((image) => image.digest)])
}

const ajv = new Ajv2020({ strict: true })
const isHandOff = ajv.compile<HandOff>(HAND_OFF_SCHEMA)
const isHandedPlatform = ajv.compile<HandedPlatform>(PLATFORM_RESULT_SCHEMA)
const isHandedResult = ajv.compile<HandedResult>(TEST_RESULT_SCHEMA)

/**
 * Reads a hand-off, which another machine has written.
 *
 * @param file its path, for messages
 * @throws UserError
 */
export function readHandOff(text: string, file: string): HandOff {
  const handOff = read(text, file, isHandOff, 'a hand-off')
  const { image, transport, digest, images } = handOff
  const isOurs = images.every(({ reference }) => isReference(reference) && reference.startsWith(`${image}:`))
  const isWhole = transport === 'artifact' || digest === (images.at(-1)?.digest ?? '')
  if (isOurs && isWhole) return handOff
  throw new UserError(
    `${JSON.stringify(file)} is not a hand-off: ${isOurs ? 'its digest is not that of its last image' : 'it has an image of another repository'}; run all jobs again`
  )
}

/**
 * Reads the result of a test, which another machine has written.
 *
 * @throws UserError
 */
export function readHandedResult(text: string, file: string): HandedResult {
  return read(text, file, isHandedResult, 'the result of a test')
}

/**
 * Reads the result of one platform, which another machine has written.
 *
 * @throws UserError
 */
export function readHandedPlatform(text: string, file: string): HandedPlatform {
  return read(text, file, isHandedPlatform, 'the result of a platform')
}

function read<T>(text: string, file: string, isValid: ValidateFunction<T>, what: string): T {
  const value = parseJson(text)
  if (isValid(value)) return value
  const why = value === undefined ? 'it is not JSON' : messageOf(ajv.errorsText(isValid.errors, { dataVar: 'it' }))
  throw new UserError(
    `${JSON.stringify(file)} is not ${what} of this version of the action (${why}); use the same version in build, test and publish`
  )
}
