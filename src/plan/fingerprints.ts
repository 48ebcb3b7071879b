import type { PublicInputs } from '../action/secrets.ts'
import { allRunOptions, type TestInputs } from '../action/tests.ts'
import { hashOf } from '../lib/hash.ts'
import { splitAtEquals } from '../lib/text.ts'

/** Fingerprints of what content keys do not cover: 64 hex digits each. */
export interface Fingerprints {
  /** The tests of the builder image, their options and their platform; undefined if tests may depend on anything outside the container. */
  tests: string | undefined
  /** The same of all tests; undefined also with checks, because these run on the runner. */
  allTests: string | undefined
  /** The inputs that change an image without a new content key: labels, annotations, attestations, and the ids of secrets. */
  inputs: string
}

/** Labels that describe the commit itself: they differ in every commit, and no build depends on them. */
const COMMIT_LABEL = /^org\.opencontainers\.image\.(created|revision|version|ref\.name)$/

/** @param platform of the engine */
export function takeFingerprints(
  inputs: Pick<
    PublicInputs,
    | keyof TestInputs
    | ('checks' | 'platform' | 'labels' | 'secrets' | 'secretFiles' | 'ssh' | 'annotations' | 'provenance' | 'sbom')
  >,
  platform: string | undefined
): Fingerprints {
  const { tests, productionTests, checks, testOptions } = inputs
  const options = allRunOptions(inputs)
  const labels = inputs.labels.filter((label) => !COMMIT_LABEL.test(splitAtEquals(label)[0]))
  const runsOn = inputs.platform ?? platform
  const isKnown = isSelfContained(options) && runsOn !== undefined
  return {
    tests: isKnown ? hashOf([tests, testOptions, runsOn, platform]) : undefined,
    allTests:
      isKnown && checks.length === 0 ? hashOf([tests, productionTests, testOptions, runsOn, platform]) : undefined,
    inputs: hashOf([labels, secretIdsOf(inputs), inputs.ssh, ...ofManifest(inputs)])
  }
}

/** Returns the ids of all secrets: those in the environment are among `secrets`. */
export function secretIdsOf({ secrets, secretFiles }: Pick<PublicInputs, 'secrets' | 'secretFiles'>): string[] {
  return [...secrets, ...secretFiles.map(({ id }) => id)]
}

/** Returns what changes only the manifest of production; nothing by default. */
function ofManifest({
  annotations,
  provenance,
  sbom
}: Pick<PublicInputs, 'annotations' | 'provenance' | 'sbom'>): unknown[] {
  const lasting = annotations.filter((one) => !COMMIT_LABEL.test(splitAtEquals(one)[0].replace(/^manifest:/, '')))
  const all = [lasting, provenance ?? null, sbom ?? null]
  return lasting.length === 0 && provenance === undefined && sbom === undefined ? [] : [all]
}

/** Returns the fingerprint of one test of the builder image: 64 hex digits, the same on every machine. */
export function fingerprintOfTest(
  { tests, testOptions, platform }: Pick<PublicInputs, 'tests' | 'testOptions' | 'platform'>,
  index: number
): string {
  return hashOf([tests[index] ?? null, testOptions, platform ?? ''])
}

/** Options of docker run that expose nothing of the runner or the network to a container; every other option may. */
const SELF_CONTAINED =
  /^(--(cap-add|cap-drop|cpu-[a-z-]+|cpus|cpuset-[a-z]+|env|hostname|init|label|memory|memory-[a-z]+|no-healthcheck|oom-[a-z-]+|pids-limit|read-only|shm-size|sysctl|tmpfs|ulimit|user|workdir)|-[cehlmuw])$/

/** Returns whether tests with these options see only the image. */
function isSelfContained(words: readonly string[]): boolean {
  return words.every((word, index) => {
    if (!word.startsWith('-')) return true
    const [name = '', ...inWord] = word.split('=')
    const value = inWord.length > 0 ? inWord.join('=') : (words[index + 1] ?? '')
    // docker reads a profile from a file of the checkout
    if (name === '--security-opt') return value === 'no-new-privileges'
    // a variable without a value gets the runner's value
    return SELF_CONTAINED.test(name) && (!/^(--env|-e)$/.test(name) || value.includes('='))
  })
}
