import { createHash } from 'node:crypto'
import type { PublicInputs } from '../action/secrets.ts'
import { splitAtEquals } from '../lib/text.ts'

/** Label of the builder image: the fingerprint of its tests. It is published only after they passed. */
export const TESTS_LABEL = 'shared-docker-layers.tests'

/** Label of the builder and the production image: the fingerprint of what they are built from, but for files and base images. */
export const INPUTS_LABEL = 'shared-docker-layers.inputs'

export interface Fingerprints {
  /** Of the commands and how they run; undefined if there are none, or if they may depend on what is outside the container. */
  tests: string | undefined
  /** Of all that a build depends on, but for the files of the context and the images outside the Dockerfile. */
  inputs: string
}

/** What labels say of the commit itself; they differ in every commit, and no build depends on them. */
const COMMIT_LABEL = /^org\.opencontainers\.image\.(created|revision|version|ref\.name)$/

/**
 * @param env the environment in which docker runs: build arguments may name variables of it
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
      // their values are no part of what BuildKit compares, either
      [inputs.secrets, inputs.ssh]
    ])
  }
}

function hash(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex')
}

/** Options of docker run that bring nothing of the runner or the network into a container; any other may. */
const SELF_CONTAINED =
  /^(--(cap-add|cap-drop|cpu-[a-z-]+|cpus|cpuset-[a-z]+|env|hostname|init|label|memory|memory-[a-z]+|no-healthcheck|oom-[a-z-]+|pids-limit|read-only|security-opt|shm-size|sysctl|tmpfs|ulimit|user|workdir)|-[cehlmuw])$/

/** Whether tests with these options see the image alone. */
function isSelfContained(words: readonly string[]): boolean {
  return words.every((word, index) => {
    if (!word.startsWith('-')) return true
    const [name = '', ...inWord] = word.split('=')
    const value = inWord.length > 0 ? inWord.join('=') : (words[index + 1] ?? '')
    // a variable without a value has that of the runner
    return SELF_CONTAINED.test(name) && (!/^(--env|-e)$/.test(name) || value.includes('='))
  })
}
