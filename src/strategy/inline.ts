import { missingRecords } from '../cache/cached-layers.ts'
import { commonBuildArgs, secretArgs, secretEnvironment } from '../docker/args.ts'
import { atLeast } from '../docker/engine-info.ts'
import { PlainProgress, RawJsonProgress } from '../docker/progress/buildkit.ts'
import type { PrintedStep } from '../docker/progress/reader.ts'
import { findStage } from '../dockerfile/model.ts'
import { instructionOfBuildKitStep } from '../dockerfile/steps.ts'
import { cacheTagOf, type Plan } from '../plan/plan.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import { inspectInEngine } from '../registry/client-images.ts'
import type { ReadImage } from '../registry/image.ts'
import type { Build, Run } from '../result/run.ts'
import { BaseImages } from './base-images.ts'
import { build, prepareSource, type Source, type Strategy } from './strategy.ts'

/**
 * BuildKit inside the engine, with cache metadata in the published images.
 *
 * Nothing is pulled: BuildKit reads the metadata from the registry, and an image that is already in a graph driver's store
 * hides the one in the registry. Each solve has one cache source: with two, BuildKit misses at random (moby/buildkit#6418).
 */
export class InlineStrategy implements Strategy {
  readonly #run: Run
  readonly #bases: BaseImages
  readonly #ended = new AbortController()
  readonly #productionSource: Promise<string>

  constructor(run: Run) {
    this.#run = run
    this.#bases = new BaseImages(run, AbortSignal.any([run.signal, this.#ended.signal]))
    this.#productionSource = this.#findProductionSource()
    // whoever awaits it sees a cancellation; until then it is no unhandled rejection
    this.#productionSource.catch(() => {})
  }

  async build(stage: StageBuild): Promise<Build> {
    const { plan, timeline } = this.#run
    const { strategy, inputs } = plan
    const [cacheSource, baseLabels] =
      stage.kind === 'production'
        ? await timeline.measure('wait', 'Wait for what is published', () =>
            Promise.all([this.#productionSource, this.#bases.labels(stage)])
          )
        : [stage.cacheSource, []]
    const labels = [...stage.labels, ...baseLabels]
    // FROM takes the image in the engine; a --build-context asks the registry first on the containerd store, and would
    // build on what anyone had pushed under that name
    const source = await prepareSource(this.#run, stage, stage.images)
    const built = await build(this.#run, stage, cacheSource, {
      title: `Build ${stage.reference}`,
      args: (idFile) => inlineBuildArgs(plan, stage, source, { cacheSource, labels, idFile }),
      env: inlineEnvironment(plan),
      secretEnv: secretEnvironment(inputs.secrets),
      reader: (print) => (strategy.progress === 'rawjson' ? new RawJsonProgress(print) : new PlainProgress(print)),
      locate: (step) => this.#locate(step)
    })
    this.#bases.add(built.bases)
    return built
  }

  readBuilt({ image }: Build): Promise<ReadImage> {
    const { docker, signal } = this.#run
    // by its tag: Docker 26.1 finds no history by an id of the containerd store
    return inspectInEngine(docker, image, signal)
  }

  async end(): Promise<void> {
    this.#ended.abort()
    await Promise.allSettled([this.#productionSource, this.#bases.end()])
  }

  #locate({ stage: name, number, instruction }: PrintedStep): ReturnType<Parameters<typeof build>[3]['locate']> {
    const { dockerfile } = this.#run.plan
    const [, index] = /^stage-(\d+)$/.exec(name) ?? []
    const stage = findStage(dockerfile, name) ?? (index === undefined ? undefined : dockerfile.stages[Number(index)])
    return stage && { stage, instruction: instructionOfBuildKitStep(stage, number, instruction) }
  }

  /** If the newest production image was a worse cache than the one before it, that one was kept (see `publish`). */
  async #findProductionSource(): Promise<string> {
    const { plan, registry } = this.#run
    const production = plan.builds.at(-1)
    const newest = plan.refs.movingProduction
    if (!production) return newest
    const kept = cacheTagOf(newest)
    const { image } = await registry.published(kept)
    // there is none as a rule: then nothing needs to be compared
    if (!image) return newest
    const missing = missingRecords((await registry.published(newest)).image, production)
    return missingRecords(image, production) < missing ? kept : newest
  }
}

/** The arguments of docker that build a stage. */
export function inlineBuildArgs(
  plan: Plan,
  { tags }: StageBuild,
  { file, target }: Source,
  { cacheSource, labels, idFile }: { cacheSource: string; labels: string[]; idFile: string }
): string[] {
  return [
    ...(plan.strategy.client === 'buildx' ? buildxArgs(plan, cacheSource) : integratedArgs(cacheSource)),
    ...commonBuildArgs(plan.inputs, { file, target, tags, labels, idFile }),
    ...secretArgs(plan.inputs),
    plan.inputs.context
  ]
}

export function inlineEnvironment({ strategy }: Plan): Record<string, string> {
  return strategy.client === 'integrated' ? { DOCKER_BUILDKIT: '1' } : {}
}

function buildxArgs({ buildxBuilder, strategy, engine }: Plan, cacheSource: string): string[] {
  return [
    ...['buildx', 'build', '--builder', buildxBuilder, '--progress', strategy.progress],
    // an attestation makes every push a new digest, and an index of a single image; buildx 0.10 is the first that adds one
    ...(atLeast(engine.buildx ?? '0', '0.10.0') ? ['--provenance=false'] : []),
    ...['--cache-from', `type=registry,ref=${cacheSource}`, '--cache-to', 'type=inline']
  ]
}

function integratedArgs(cacheSource: string): string[] {
  return ['build', '--progress', 'plain', '--cache-from', cacheSource, '--build-arg', 'BUILDKIT_INLINE_CACHE=1']
}
