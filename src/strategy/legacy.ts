import { LegacyProgress } from '../docker/progress/legacy.ts'
import type { Base } from '../docker/progress/reader.ts'
import { stageAt } from '../dockerfile/stage-graph.ts'
import { instructionOfLegacyStep } from '../dockerfile/steps.ts'
import { list, parseJson, text } from '../lib/json.ts'
import { usesCacheSource } from '../plan/no-cache.ts'
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

/** Of a build without a cache. */
const NO_PULL: Pull = { reference: '', usable: false }

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
  /** Of the other images, the number of steps that their build added to the Dockerfile's, by reference. */
  readonly #added = new Map<string, number>()
  /** CMD instructions with the right command of images that have a wrong one, by ID. */
  readonly #commands = new Map<string, string>()

  constructor(run: StrategyRun) {
    this.#run = run
  }

  fetch(cacheSource: string): void {
    if (this.#run.plan.inputs.noCache) return
    void this.#fetch(cacheSource)
  }

  async build(stage: StageBuild, { cacheSource }: BuildOptions): Promise<Build> {
    const { plan } = this.#run
    // otherwise the layers of the labels would be below those of this stage
    const images = stage.images.map(({ stage: index, image }) => ({
      stage: index,
      image: this.#unlabelled.get(image) ?? image
    }))
    const atOnce = isLabelledAtOnce(plan, stage)
    const inherited = this.#commands.get(images.find((one) => one.stage === inheritsCommand(plan, stage))?.image ?? '')
    const command = inherited === undefined ? [] : [inherited]
    const source = await prepareSource(this.#run, stage, images, true, atOnce ? command : [])
    const isCached = usesCacheSource(plan, stage)
    const pull = isCached
      ? await this.#run.timeline.measure('wait', `Wait for ${cacheSource}`, () => this.#fetch(cacheSource))
      : NO_PULL
    // with a cache source the builder uses no other cache: it would repeat steps that another build of these stages executed
    const newest = this.#newest.get(stage.cacheSource)
    const usable = pull.usable ? (newest ?? cacheSource) : isCached ? undefined : newest
    const buildWith = (title: string, { labels, tags }: Pick<StageBuild, 'labels' | 'tags'>): Promise<Build> =>
      runBuild(this.#run, stage, cacheSource, {
        title,
        args: (idFile) =>
          legacyBuildArgs(plan, source, { cacheSource: usable, labels, tags, idFile, isBase: images.length === 0 }),
        env: LEGACY,
        reader: (print) => new LegacyProgress(print),
        locate: (step) => instructionOfLegacyStep(source.dockerfile, step.number, step.instruction)
      })
    const built = await buildWith(`Build ${stage.reference}`, atOnce ? stage : { labels: [], tags: [] })
    built.unreadableCaches = pull.failure ? [{ reference: cacheSource, failure: pull.failure }] : []
    if (built.failure !== undefined) return built
    if (built.steps.some(({ cached }) => !cached)) this.#newest.set(stage.cacheSource, built.imageId)
    built.bases = await this.#findBase(stage)
    if (atOnce) {
      // --label appends steps that name this very commit: they are not part of the Dockerfile
      const added = [...command, ...stage.labels.map((label) => `LABEL ${label}`)]
      this.#added.set(stage.reference, added.length)
      const own = built.steps.findLastIndex(({ instruction }) => !added.includes(instruction))
      return { ...built, steps: built.steps.slice(0, own + 1) }
    }
    this.#unlabelled.set(stage.reference, built.imageId)
    const isRestored = inherited === undefined && built.steps.at(-1)?.cached === true
    const labelled = isRestored
      ? await buildWith(`Label ${stage.reference}`, stage)
      : await this.#label(stage, [`FROM ${built.imageId}`, ...command])
    if (inherited !== undefined) this.#commands.set(built.imageId, inherited)
    else if (isRestored && labelled.failure === undefined) await this.#noteCommand(built.imageId, labelled.imageId)
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
    const read = await inspectInEngine(docker, imageId, signal)
    if (!read.image) return read
    if (unlabelled !== undefined) {
      const before = await inspectInEngine(docker, unlabelled, signal)
      // only the labelled image has the right command, see noteCommand
      return before.image ? { image: { ...before.image, runtime: read.image.runtime } } : before
    }
    const own = read.image.history.length - (this.#added.get(image) ?? 0)
    return { image: { ...read.image, history: read.image.history.slice(0, own) } }
  }

  async end(): Promise<void> {
    this.#ended.abort()
    await Promise.allSettled(this.#pulls.values())
  }

  /** Labels an image in a separate build: in this builder a label is a step, and other stages may be built on this one. */
  async #label(stage: StageBuild, dockerfile: string[]): Promise<Build> {
    return runBuild(this.#run, stage, '', {
      title: `Label ${stage.reference}`,
      args: (idFile) => labelArgs(stage, idFile),
      env: LEGACY,
      input: `${dockerfile.join('\n')}\n`,
      reader: (print) => new LegacyProgress(print),
      locate: () => undefined
    })
  }

  /**
   * Notes the right command of an image whose last step comes from the cache: the builder gives it the command of that step
   * (moby/moby image/cache/cache.go, restoreCachedImage), and right ones to later steps of the same build, as to labels.
   */
  async #noteCommand(restored: string, labelled: string): Promise<void> {
    const [wrong, right] = await Promise.all([restored, labelled].map((id) => this.#commandOf(id)))
    if (right !== undefined && wrong !== right) this.#commands.set(restored, right)
  }

  /** Returns the command of an image as an instruction; undefined if the engine does not tell it. */
  async #commandOf(id: string): Promise<string | undefined> {
    const { docker, signal } = this.#run
    const args = ['image', 'inspect', '--format', '{{json .Config.Cmd}}', id]
    const { exitCode, stdout } = await docker.call(args, { signal, bound: 'image' })
    return exitCode === 0 ? `CMD ${JSON.stringify(list(parseJson(stdout)))}` : undefined
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

/** Returns the docker arguments that build a stage. */
export function legacyBuildArgs(
  { inputs }: Plan,
  { file, target }: Source,
  {
    cacheSource,
    tags,
    labels,
    idFile,
    isBase
  }: Pick<StageBuild, 'tags' | 'labels'> & {
    cacheSource: string | undefined
    idFile: string
    /** Whether it starts from no image of this run, which no registry has. */
    isBase: boolean
  }
): string[] {
  return [
    'build',
    // otherwise a failing step leaves its container behind
    '--force-rm',
    ...(inputs.pull && isBase ? ['--pull'] : []),
    // an image of this run may still serve as the cache of another build of the same stages
    ...(inputs.noCache && cacheSource === undefined ? ['--no-cache'] : []),
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

/** Returns the index of the stage whose command is that of the image: the stage on which the build is based, if no instruction sets another. */
function inheritsCommand({ dockerfile }: Pick<Plan, 'dockerfile'>, { own }: StageBuild): number | undefined {
  const stages = own.map(({ stage }) => stageAt(dockerfile, stage))
  const instructions = stages.flatMap((stage) => stage.instructions)
  return instructions.some(({ keyword }) => /^(CMD|ENTRYPOINT)$/.test(keyword)) ? undefined : stages[0]?.baseStage
}

/** Returns whether the build sets the labels: no stage builds on production, and a labelling build would run ONBUILD triggers. */
export function isLabelledAtOnce({ dockerfile }: Pick<Plan, 'dockerfile'>, { kind, stage }: StageBuild): boolean {
  return kind === 'production' || stageAt(dockerfile, stage).instructions.some(({ keyword }) => keyword === 'ONBUILD')
}
