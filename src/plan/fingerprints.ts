import { createHash } from 'node:crypto'
import type { PublicInputs } from '../action/secrets.ts'
import { splitAtEquals } from '../lib/text.ts'

/** Label of the builder image: the fingerprint of its tests. The action publishes the image only after they passed. */
export const TESTS_LABEL = 'shared-docker-layers.tests'

/** Label of the builder and the production image: the fingerprint of their build inputs, except files and base images. */
export const INPUTS_LABEL = 'shared-docker-layers.inputs'

export interface Fingerprints {
  /** Fingerprint of the tests and their options; undefined without tests, or if they may depend on anything outside the container. */
  tests: string | undefined
  /** Fingerprint of all that a build depends on, except files of the build context and images outside the Dockerfile. */
  inputs: string
}

/** Labels that describe the commit itself: they differ in every commit, and no build depends on them. */
const COMMIT_LABEL = /^org\.opencontainers\.image\.(created|revision|version|ref\.name)$/

/**
 * @param env the environment of docker: build arguments may name its variables
 */
export function takeFingerprints(
  inputs: PublicInputs,
  dockerfile: string,
  dockerignore: string,
  env: Readonly<Record<string, string | undefined>>
): Fingerprints {
  const { tests, testOptions, platform } = inputs
  const buildArgs = inputs.buildArgs.map((argument) => (argument.includes('=') ? argument : [argument, env[argument]]))
  const labels = inputs.labels.filter((label) => !COMMIT_LABEL.test(splitAtEquals(label)[0]))
  return {
    tests: tests.length > 0 && isSelfContained(testOptions) ? hash([tests, testOptions, platform]) : undefined,
    inputs: hash([
      [dockerfile, dockerignore, inputs.builderTarget, inputs.target, inputs.cacheStages],
      [buildArgs, labels, platform, inputs.network, inputs.addHosts, inputs.shmSize],
      // without their values, which BuildKit does not compare either
      [inputs.secrets, inputs.ssh]
    ])
  }
}

function hash(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex')
}

/** Options of docker run that expose nothing of the runner or the network to a container; every other option may. */
const SELF_CONTAINED =
  /^(--(cap-add|cap-drop|cpu-[a-z-]+|cpus|cpuset-[a-z]+|env|hostname|init|label|memory|memory-[a-z]+|no-healthcheck|oom-[a-z-]+|pids-limit|read-only|security-opt|shm-size|sysctl|tmpfs|ulimit|user|workdir)|-[cehlmuw])$/

/** Returns whether tests with these options see only the image. */
function isSelfContained(words: readonly string[]): boolean {
  return words.every((word, index) => {
    if (!word.startsWith('-')) return true
    const [name = '', ...inWord] = word.split('=')
    const value = inWord.length > 0 ? inWord.join('=') : (words[index + 1] ?? '')
    // a variable without a value gets the runner's value
    return SELF_CONTAINED.test(name) && (!/^(--env|-e)$/.test(name) || value.includes('='))
  })
}
