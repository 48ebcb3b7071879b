import { LegacyProgress } from '../docker/progress/legacy.ts'
import type { Base } from '../docker/progress/reader.ts'
import { stageAt } from '../dockerfile/stage-graph.ts'
import { instructionOfLegacyStep } from '../dockerfile/steps.ts'
import { list, parseJson, text } from '../lib/json.ts'
import type { Plan } from '../plan/plan.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import { inspectInEngine, pull } from '../registry/client-images.ts'
import type { RegistryFailure } from '../registry/failure.ts'
import type { ReadImage } from '../registry/image.ts'
import { digestInRepository } from '../registry/reference.ts'
import type { Build } from '../result/result.ts'
import { commonBuildArgs } from './build-args.ts'
import { prepareSource, type Source } from './build-source.ts'
import { runBuild } from './run-build.ts'
import type { BuildOptions, Strategy, StrategyRun } from './strategy.ts'

/** The variable that makes the docker client use the engine's legacy builder (docker/cli cmd/docker/builder.go). */
export const LEGACY = { DOCKER_BUILDKIT: '0' }

interface Pull {
  reference: string
  /** Whether the image is in the engine as a cache. */
  usable: boolean
  /** Why the image could not be pulled. */
  failure?: RegistryFailure
}

/**
 * Builds with the legacy builder, from before BuildKit. That uses only images in the engine as a cache, so this pulls all of them.
 *
 * With two cache sources it locks onto the first that shares a step (moby/moby daemon/internal/image/cache/cache.go). So each
 * build has one source, and a Dockerfile whose other stages are the images just built.
 */
export class LegacyStrategy implements Strategy {
  readonly #run: StrategyRun
  readonly #ended = new AbortController()
  readonly #pulls = new Map<string, Promise<Pull>>()
  /** By default cache source, the image of this run with steps that the published images lack. */
  readonly #newest = new Map<string, string>()
  /** IDs of the images before labelling, by reference. */
  readonly #unlabelled = new Map<string, string>()
  /** Of the other images, the number of labels that their build set, by reference. */
  readonly #labelsAtOnce = new Map<string, number>()

  constructor(run: StrategyRun) {
    this.#run = run
  }

  fetch(cacheSource: string): void {
    void this.#fetch(cacheSource)
  }

  async build(stage: StageBuild, { cacheSource }: BuildOptions): Promise<Build> {
    const { plan } = this.#run
    // otherwise the layers of the labels would be below those of this stage
    const images = stage.images.map(({ stage: index, image }) => ({
      stage: index,
      image: this.#unlabelled.get(image) ?? image
    }))
    const source = await prepareSource(this.#run, stage, images, true)
    const pull = await this.#run.timeline.measure('wait', `Wait for ${cacheSource}`, () => this.#fetch(cacheSource))
    const labels = isLabelledAtOnce(plan, stage) ? stage.labels : []
    const built = await runBuild(this.#run, stage, cacheSource, {
      title: `Build ${stage.reference}`,
      args: (idFile) =>
        legacyBuildArgs(plan, stage, source, {
          // with a cache source the builder uses no other cache: it would repeat steps that another build of these stages executed
          cacheSource: pull.usable ? (this.#newest.get(stage.cacheSource) ?? cacheSource) : undefined,
          ...{ labels, idFile }
        }),
      env: LEGACY,
      reader: (print) => new LegacyProgress(print),
      locate: (step) => instructionOfLegacyStep(source.dockerfile, step.number, step.instruction)
    })
    built.unreadableCaches = pull.failure ? [{ reference: cacheSource, failure: pull.failure }] : []
    if (built.failure !== undefined) return built
    if (built.steps.some(({ cached }) => !cached)) this.#newest.set(stage.cacheSource, built.imageId)
    built.bases = await this.#findBase(stage)
    if (isLabelledAtOnce(plan, stage)) {
      this.#labelsAtOnce.set(stage.reference, labels.length)
      // --label appends steps that name this very commit: they are not part of the Dockerfile
      const own = built.steps.findLastIndex(({ instruction }) => !labels.includes(instruction.replace('LABEL ', '')))
      return { ...built, steps: built.steps.slice(0, own + 1) }
    }
    this.#unlabelled.set(stage.reference, built.imageId)
    const labelled = await this.#label(stage, built.imageId)
    return {
      ...built,
      imageId: labelled.imageId,
      seconds: built.seconds + labelled.seconds,
      ...(labelled.failure === undefined ? {} : { failure: labelled.failure })
    }
  }

  async readBuilt({ image, imageId }: Build): Promise<ReadImage> {
    const { docker, signal } = this.#run
    const unlabelled = this.#unlabelled.get(image)
    const read = await inspectInEngine(docker, unlabelled ?? imageId, signal)
    if (unlabelled !== undefined || !read.image) return read
    const own = read.image.history.length - (this.#labelsAtOnce.get(image) ?? 0)
    return { image: { ...read.image, history: read.image.history.slice(0, own) } }
  }

  async end(): Promise<void> {
    this.#ended.abort()
    await Promise.allSettled(this.#pulls.values())
  }

  /** Labels an image in a separate build: in this builder a label is a step, and other stages may be built on this one. */
  async #label(stage: StageBuild, image: string): Promise<Build> {
    return runBuild(this.#run, stage, '', {
      title: `Label ${stage.reference}`,
      args: (idFile) => labelArgs(stage, idFile),
      env: LEGACY,
      input: `FROM ${image}\n`,
      reader: (print) => new LegacyProgress(print),
      locate: () => undefined
    })
  }

  async #findBase(stage: StageBuild): Promise<Base[]> {
    const { docker, signal } = this.#run
    const reference = stage.baseImage
    if (reference === undefined) return []
    const args = ['image', 'inspect', '--format', '{{json .RepoDigests}}', reference]
    const { stdout } = await docker.call(args, { signal, bound: 'image' })
    const [digest] = list(parseJson(stdout)).flatMap((one) => digestInRepository(text(one), reference) ?? [])
    return digest === undefined ? [] : [{ reference, digest }]
  }

  #fetch(cacheSource: string): Promise<Pull> {
    const pull = this.#pulls.get(cacheSource) ?? this.#pull(cacheSource)
    this.#pulls.set(cacheSource, pull)
    // prevents an unhandled rejection; the code that awaits it still receives a cancellation
    pull.catch(() => {})
    return pull
  }

  async #pull(reference: string): Promise<Pull> {
    const { plan } = this.#run
    // on the containerd store this builder fails on cached steps: `selectStrategy` has warned
    if (!plan.strategy.capabilities.reusesLayers) return { reference, usable: false }
    const signal = AbortSignal.any([this.#run.signal, this.#ended.signal])
    const { platform, retries } = plan.inputs
    const failure = await pull({ ...this.#run, signal, platform, retries }, reference)
    return { reference, usable: failure === undefined, ...(failure && { failure }) }
  }
}

/** Returns the docker arguments that build a stage; its tags and labels come later, unless `isLabelledAtOnce`. */
export function legacyBuildArgs(
  plan: Plan,
  stage: StageBuild,
  { file, target }: Source,
  { cacheSource, labels, idFile }: { cacheSource: string | undefined; labels: string[]; idFile: string }
): string[] {
  const { inputs } = plan
  const tags = isLabelledAtOnce(plan, stage) ? stage.tags : []
  return [
    'build',
    // otherwise a failing step leaves its container behind
    '--force-rm',
    ...(cacheSource === undefined ? [] : ['--cache-from', cacheSource]),
    ...commonBuildArgs(inputs, { file, target, tags, labels, idFile }),
    inputs.context
  ]
}

/** Returns the docker arguments that set labels and tags on the image that standard input names in `FROM`. */
export function labelArgs({ tags, labels }: StageBuild, idFile: string): string[] {
  return [
    'build',
    ...tags.flatMap((tag) => ['--tag', tag]),
    ...labels.flatMap((label) => ['--label', label]),
    ...['--iidfile', idFile, '-']
  ]
}

/** Returns whether the build sets the labels: no stage builds on production, and a labelling build would run ONBUILD triggers. */
export function isLabelledAtOnce({ dockerfile }: Pick<Plan, 'dockerfile'>, { kind, stage }: StageBuild): boolean {
  return kind === 'production' || stageAt(dockerfile, stage).instructions.some(({ keyword }) => keyword === 'ONBUILD')
}
