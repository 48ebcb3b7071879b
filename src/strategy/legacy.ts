import { type BuildArgs, commonBuildArgs, replayable } from '../engine/args.ts'
import { lastLine } from '../engine/docker.ts'
import { LegacyProgress } from '../engine/progress.ts'
import type { Build, Run } from '../run.ts'
import { build, type Strategy, writeReplaced } from './strategy.ts'

/** The variable that makes the docker CLI use the engine's old builder (docker/cli cmd/docker/builder.go). */
const LEGACY = { DOCKER_BUILDKIT: '0' }

interface Pull {
  reference: string
  /** Whether it is in the engine as a cache. */
  usable: boolean
  /** What docker said, where the image could not be pulled. */
  error?: string
}

/**
 * The builder that engines had before BuildKit. It takes an image that is in the engine as a cache, so both are pulled.
 *
 * With two cache sources it locks onto the first that shares a step (moby/moby daemon/internal/image/cache/cache.go), hence
 * one source a build, and production from a Dockerfile whose builder stage is the image just built.
 */
export class LegacyStrategy implements Strategy {
  readonly #run: Run
  readonly #ended = new AbortController()
  readonly #pulledBuilder: Promise<Pull>
  readonly #pulledProduction: Promise<Pull>
  #unlabelledBuilder = ''

  constructor(run: Run) {
    this.#run = run
    const { refs } = run.plan
    this.#pulledBuilder = this.#pull(refs.movingBuilder)
    this.#pulledProduction = this.#pull(refs.movingProduction)
    // whoever awaits them sees a cancellation; until then it is no unhandled rejection
    this.#pulledBuilder.catch(() => {})
    this.#pulledProduction.catch(() => {})
  }

  async buildBuilder(): Promise<Build> {
    const { refs, builderTarget, builderTags, file, labels } = this.#run.plan
    const pull = await this.#pulledBuilder
    const built = await this.#build(refs.builder, pull, {
      file,
      target: builderTarget,
      tags: [],
      labels: []
    })
    if (built.failure !== undefined) return built
    this.#unlabelledBuilder = built.imageId
    // labelled in a build of its own: in this builder a label is a step, and production may be built on this stage
    const labelled = await build(this.#run, {
      image: refs.builder,
      verb: 'Label',
      args: (idFile) => [
        'build',
        ...builderTags.flatMap((tag) => ['--tag', tag]),
        ...labels.builder.flatMap((label) => ['--label', label]),
        ...['--iidfile', idFile, '-']
      ],
      env: LEGACY,
      input: `FROM ${built.imageId}\n`,
      reader: (print) => new LegacyProgress(print)
    })
    const { steps, unreadableCaches } = built
    return { ...labelled, steps, unreadableCaches, seconds: built.seconds + labelled.seconds }
  }

  async buildProduction(): Promise<Build> {
    const { refs, target, productionTags, labels } = this.#run.plan
    const pull = await this.#pulledProduction
    const built = await this.#build(refs.production, pull, {
      file: await writeReplaced(this.#run, this.#unlabelledBuilder),
      target,
      tags: productionTags,
      labels: labels.production
    })
    // --label adds steps of its own at the end, which name this very commit: they are none of the Dockerfile's
    const own = built.steps.findLastIndex(
      ({ instruction }) => !labels.production.includes(instruction.replace('LABEL ', ''))
    )
    return { ...built, steps: built.steps.slice(0, own + 1) }
  }

  async end(): Promise<void> {
    this.#ended.abort()
    await Promise.allSettled([this.#pulledBuilder, this.#pulledProduction])
  }

  async #build(image: string, pull: Pull, args: Omit<BuildArgs, 'idFile'>): Promise<Build> {
    const { inputs } = this.#run.plan
    const cache = pull.usable ? ['--cache-from', pull.reference] : []
    const built = await build(this.#run, {
      image,
      args: (idFile) => ['build', ...cache, ...commonBuildArgs(inputs, { ...args, idFile }), inputs.context],
      env: LEGACY,
      reader: (print) => new LegacyProgress(print)
    })
    const unreadableCaches = pull.error === undefined ? [] : [{ reference: pull.reference, error: pull.error }]
    return { ...built, unreadableCaches }
  }

  async #pull(reference: string): Promise<Pull> {
    const { log, docker, signal, plan } = this.#run
    // there this builder fails on what it finds in a cache: `selectStrategy` has warned
    if (plan.engine.store === 'containerd') return { reference, usable: false }
    const args = [
      'pull',
      ...(plan.inputs.platform === undefined ? [] : ['--platform', plan.inputs.platform]),
      reference
    ]
    const section = log.section(`Pull ${reference}`)
    section.write(`${replayable(args)}\n`)
    try {
      const { exitCode, stderr } = await docker.call(args, {
        signal: AbortSignal.any([signal, this.#ended.signal]),
        onOutput: (chunk) => section.write(chunk)
      })
      return exitCode === 0
        ? { reference, usable: true }
        : { reference, usable: false, error: lastLine(stderr) || `exit code ${exitCode}` }
    } finally {
      section.end()
    }
  }
}
