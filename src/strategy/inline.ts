import { atLeast } from '../docker/engine-info.ts'
import { PlainProgress, RawJsonProgress } from '../docker/progress/buildkit.ts'
import type { PrintedStep } from '../docker/progress/reader.ts'
import { findStage } from '../dockerfile/model.ts'
import { instructionOfBuildKitStep } from '../dockerfile/steps.ts'
import type { Plan } from '../plan/plan.ts'
import type { StageBuild } from '../plan/stage-builds.ts'
import { inspectInEngine } from '../registry/client-images.ts'
import type { ReadImage } from '../registry/image.ts'
import type { Build } from '../result/result.ts'
import { BaseImages } from './base-images.ts'
import { commonBuildArgs, secretArgs, secretEnvironment } from './build-args.ts'
import { prepareSource, type Source } from './build-source.ts'
import { type BuildCommand, runBuild } from './run-build.ts'
import type { Strategy, StrategyRun } from './strategy.ts'

/**
 * Builds with the BuildKit inside the engine, and with cache metadata in the published images.
 *
 * It pulls nothing: BuildKit reads the metadata from the registry, and an image that is already in a graph driver's store hides
 * the one in the registry. Each solve has one cache source: with two, BuildKit has random cache misses (moby/buildkit#6418).
 */
export class InlineStrategy implements Strategy {
  readonly #run: StrategyRun
  readonly #bases: BaseImages
  readonly #ended = new AbortController()

  constructor(run: StrategyRun) {
    this.#run = run
    this.#bases = new BaseImages(run, AbortSignal.any([run.signal, this.#ended.signal]))
  }

  start(): void {
    this.#bases.start()
  }

  async build(stage: StageBuild, cacheSource: string): Promise<Build> {
    const { plan, timeline, secrets } = this.#run
    const { strategy } = plan
    const baseLabels =
      stage.kind === 'production'
        ? await timeline.measure('wait', 'Wait for the base image', () => this.#bases.labels(stage))
        : []
    const labels = [...stage.labels, ...baseLabels]
    // FROM uses the image in the engine; on the containerd store, --build-context would query the registry first, and build
    // on whatever anyone had pushed under that name
    const source = await prepareSource(this.#run, stage, stage.images)
    const built = await runBuild(this.#run, stage, cacheSource, {
      title: `Build ${stage.reference}`,
      args: (idFile) => inlineBuildArgs(plan, stage, source, { cacheSource, labels, idFile }),
      env: inlineEnvironment(plan),
      secretEnv: secretEnvironment(plan.inputs, secrets.values),
      reader: (print) => (strategy.progress === 'rawjson' ? new RawJsonProgress(print) : new PlainProgress(print)),
      locate: (step) => this.#locate(step)
    })
    this.#bases.add(built.bases)
    return built
  }

  readBuilt({ image }: Build): Promise<ReadImage> {
    const { docker, signal } = this.#run
    // by its tag: Docker 26.1 finds no history for an ID of the containerd store
    return inspectInEngine(docker, image, signal)
  }

  async end(): Promise<void> {
    this.#ended.abort()
    await Promise.allSettled([this.#bases.end()])
  }

  #locate({ stage: name, number, instruction }: PrintedStep): ReturnType<BuildCommand['locate']> {
    const { dockerfile } = this.#run.plan
    const [, index] = /^stage-(\d+)$/.exec(name) ?? []
    const stage = findStage(dockerfile, name) ?? (index === undefined ? undefined : dockerfile.stages[Number(index)])
    return stage && { stage, instruction: instructionOfBuildKitStep(stage, number, instruction) }
  }
}

/** Returns the docker arguments that build a stage. */
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
    // an attestation gives every push a new digest, and makes a single image an index; buildx adds one since 0.10
    ...(atLeast(engine.buildx ?? '0', '0.10.0') ? ['--provenance=false'] : []),
    ...['--cache-from', `type=registry,ref=${cacheSource}`, '--cache-to', 'type=inline']
  ]
}

function integratedArgs(cacheSource: string): string[] {
  return ['build', '--progress', 'plain', '--cache-from', cacheSource, '--build-arg', 'BUILDKIT_INLINE_CACHE=1']
}
