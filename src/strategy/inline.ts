import { createReader } from '../docker/progress/buildkit.ts'
import type { PrintedStep } from '../docker/progress/reader.ts'
import { findStage } from '../dockerfile/model.ts'
import { instructionOfBuildKitStep } from '../dockerfile/steps.ts'
import type { Plan } from '../plan/plan.ts'
import type { StageBuild, StageImage } from '../plan/stage-builds.ts'
import { inspectInEngine } from '../registry/client-images.ts'
import type { ReadImage } from '../registry/image.ts'
import { describeStep } from '../result/cache-verdict.ts'
import type { Build, Step } from '../result/result.ts'
import {
  buildxOnlyArgs,
  cacheSourceOf,
  commonBuildArgs,
  freshnessArgs,
  secretArgs,
  secretEnvironment
} from './build-args.ts'
import { prepareSource, replacingImages, type Source } from './build-source.ts'
import { type BuildCommand, runBuild } from './run-build.ts'
import { missingBelow, ownSteps, SeenSteps, stagesBuiltBefore } from './stages-built-before.ts'
import type { BuildOptions, Strategy, StrategyRun } from './strategy.ts'

/**
 * Builds with the BuildKit inside the engine, and with cache metadata in the published images.
 *
 * It pulls nothing: BuildKit reads the metadata from the registry, and an image that is already in a graph driver's store hides
 * the one in the registry. Each solve has one cache source: with two, BuildKit has random cache misses (moby/buildkit#6418).
 *
 * Each stage is built from the user's own Dockerfile, and the stages built before come from the engine's local cache. The progress
 * must show that: an image for which the engine executed one of their steps again does not contain what was tested.
 */
export class InlineStrategy implements Strategy {
  readonly #run: StrategyRun
  readonly #seen = new SeenSteps()
  /** Whether the engine's local cache may have other results for the stages built before than their images. */
  #mayDiffer = false

  constructor(run: StrategyRun) {
    this.#run = run
  }

  fetch(): void {
    // BuildKit reads it by itself
  }

  async build(
    stage: StageBuild,
    { cacheSource, readAs = cacheSource, startFromImages = false }: BuildOptions
  ): Promise<Build> {
    const { plan, log } = this.#run
    const solve = (images: readonly StageImage[], onSteps?: BuildCommand['onSteps']): Promise<Build> =>
      this.#solve(stage, images, { cacheSource, readAs, ...(onSteps && { onSteps }) })
    const replaced = startFromImages || this.#mayDiffer ? stage.images : replacingImages(plan, stage)
    this.#mayDiffer ||= replaced.length > 0
    if (replaced.length > 0) return solve(replaced)

    const before = stagesBuiltBefore(plan.dockerfile, stage)
    let again: Step | undefined
    const built = await solve([], (steps) => {
      again = this.#seen.add(steps, before) ?? again
    })
    const why = again ? executedAgain(again) : await this.#whyOther(stage, built)
    if (why === undefined) return { ...built, steps: ownSteps(built.steps, before) }
    this.#mayDiffer = true
    log.info(`${why}, so ${stage.reference} is built once more, from the images of the stages built before`)
    const fromImages = await solve(stage.images)
    const { warnings } = built
    return { ...fromImages, seconds: built.seconds + fromImages.seconds, ...(warnings && { warnings }) }
  }

  readBuilt({ image }: Build): Promise<ReadImage> {
    const { docker, signal } = this.#run
    // by its tag: Docker 26.1 finds no history for an ID of the containerd store
    return inspectInEngine(docker, image, signal)
  }

  async end(): Promise<void> {}

  /** Builds a stage from the user's Dockerfile, or from a rewritten one if images replace other stages. */
  async #solve(
    stage: StageBuild,
    images: readonly StageImage[],
    { cacheSource, readAs, onSteps }: { cacheSource: string; readAs: string } & Pick<BuildCommand, 'onSteps'>
  ): Promise<Build> {
    const { plan, secrets } = this.#run
    // FROM uses the image in the engine; on the containerd store, --build-context would query the registry first, and build
    // on whatever anyone had pushed under that name
    const source = await prepareSource(this.#run, stage, images)
    return runBuild(this.#run, stage, cacheSource, {
      title: `Build ${stage.reference}`,
      args: (idFile) =>
        inlineBuildArgs(plan, stage, source, { cacheSource: readAs, labels: stage.labels, idFile, images }),
      env: inlineEnvironment(plan),
      secretEnv: secretEnvironment(plan.inputs, secrets.values),
      reader: (print) => createReader(plan.strategy.progress, print),
      locate: (step) => this.#locate(step),
      isUsersFile: source.text === undefined,
      ...(onSteps && { onSteps })
    })
  }

  /** Returns why a build without executed steps contains something else than what was built before, as a clause. */
  async #whyOther(stage: StageBuild, { failure }: Build): Promise<string | undefined> {
    const { plan, docker, signal } = this.#run
    const missing = failure === undefined ? await missingBelow(docker, plan.dockerfile, stage, signal) : undefined
    return missing === undefined ? undefined : `The image does not begin with the layers of ${missing}`
  }

  #locate({ stage: name, number, instruction }: PrintedStep): ReturnType<BuildCommand['locate']> {
    const { dockerfile } = this.#run.plan
    const [, index] = /^stage-(\d+)$/.exec(name) ?? []
    const stage = findStage(dockerfile, name) ?? (index === undefined ? undefined : dockerfile.stages[Number(index)])
    return stage && { stage, instruction: instructionOfBuildKitStep(stage, number, instruction) }
  }
}

function executedAgain(step: Step): string {
  return `The engine no longer had the result of stage ${step.stage} in its local cache, and executed it again (${describeStep(step)})`
}

/** What the arguments of a build need besides the plan. */
interface InlineBuild {
  cacheSource: string
  labels: string[]
  idFile: string
  /** The images that replace other stages in its Dockerfile. */
  images: readonly StageImage[]
}

/** Returns the docker arguments that build a stage. */
export function inlineBuildArgs(
  plan: Plan,
  stage: StageBuild,
  { file, target }: Source,
  { cacheSource, labels, idFile, images }: InlineBuild
): string[] {
  const source = cacheSourceOf(plan, stage, cacheSource)
  return [
    ...(plan.strategy.client === 'buildx' ? buildxArgs(plan, stage, source) : integratedArgs(source)),
    ...freshnessArgs(plan, stage, images),
    ...commonBuildArgs(plan.inputs, { file, target, tags: stage.tags, labels, idFile }),
    ...secretArgs(plan.inputs),
    plan.inputs.context
  ]
}

export function inlineEnvironment({ strategy }: Plan): Record<string, string> {
  return strategy.client === 'integrated' ? { DOCKER_BUILDKIT: '1' } : {}
}

function buildxArgs(plan: Plan, stage: StageBuild, cacheSource: string | undefined): string[] {
  const { buildxBuilder, strategy } = plan
  return [
    ...['buildx', 'build', '--builder', buildxBuilder, '--progress', strategy.progress],
    ...buildxOnlyArgs(plan, stage),
    ...(cacheSource === undefined ? [] : ['--cache-from', `type=registry,ref=${cacheSource}`]),
    ...['--cache-to', 'type=inline']
  ]
}

function integratedArgs(cacheSource: string | undefined): string[] {
  const from = cacheSource === undefined ? [] : ['--cache-from', cacheSource]
  return ['build', '--progress', 'plain', ...from, '--build-arg', 'BUILDKIT_INLINE_CACHE=1']
}
