import { type BuildArgs, commonBuildArgs, secretArgs, secretEnvironment } from '../engine/args.ts'
import { atLeast } from '../engine/docker.ts'
import { PlainProgress, RawJsonProgress } from '../engine/progress.ts'
import type { Plan } from '../plan.ts'
import type { Build, Run } from '../run.ts'
import { build, type Strategy, writeReplaced } from './strategy.ts'

/**
 * BuildKit inside the engine, with cache metadata in the published images.
 *
 * Nothing is pulled: BuildKit reads the metadata from the registry, and an image that is already in a graph driver's store
 * hides the one in the registry. Each solve has one cache source: with two, BuildKit misses at random (moby/buildkit#6418).
 */
export class InlineStrategy implements Strategy {
  readonly #run: Run

  constructor(run: Run) {
    this.#run = run
  }

  buildBuilder(): Promise<Build> {
    const { refs, builderTarget, builderTags, labels, file } = this.#run.plan
    return this.#build(refs.builder, refs.movingBuilder, {
      file,
      target: builderTarget,
      tags: builderTags,
      labels: labels.builder
    })
  }

  async buildProduction(): Promise<Build> {
    const { refs, target, productionTags, labels } = this.#run.plan
    // FROM takes the image in the engine; a --build-context asks the registry first on the containerd store, and would
    // build on what anyone had pushed under that name
    const file = await writeReplaced(this.#run, refs.builder)
    return this.#build(refs.production, refs.movingProduction, {
      file,
      target,
      tags: productionTags,
      labels: labels.production
    })
  }

  async end(): Promise<void> {
    // nothing runs beyond the builds
  }

  #build(image: string, cacheSource: string, args: Omit<BuildArgs, 'idFile'>): Promise<Build> {
    const { plan } = this.#run
    const { strategy, inputs } = plan
    return build(this.#run, {
      image,
      args: (idFile) => [
        ...(strategy.client === 'buildx' ? buildxArgs(plan, cacheSource) : integratedArgs(cacheSource)),
        ...commonBuildArgs(inputs, { ...args, idFile }),
        ...secretArgs(inputs),
        inputs.context
      ],
      ...(strategy.client === 'integrated' ? { env: { DOCKER_BUILDKIT: '1' } } : {}),
      secretEnv: secretEnvironment(inputs.secrets),
      reader: (print) => (strategy.progress === 'rawjson' ? new RawJsonProgress(print) : new PlainProgress(print))
    })
  }
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
