import type { Commit } from '../action/event.ts'
import type { PublicInputs } from '../action/secrets.ts'
import type { EngineInfo } from '../docker/engine-info.ts'
import type { Dockerfile } from '../dockerfile/model.ts'
import type { Fingerprints } from './fingerprints.ts'
import type { PublishDecision } from './publish-policy.ts'
import type { Refs } from './references.ts'
import type { StrategyChoice } from './select-strategy.ts'
import type { StageBuild } from './stage-builds.ts'

/**
 * What a run will do, decided before anything is built. Plain data without secrets: it can be written to a file as JSON, read on
 * another machine and carried out there.
 */
export interface Plan {
  inputs: PublicInputs
  commit: Commit
  engine: EngineInfo
  strategy: StrategyChoice
  dockerfile: Dockerfile
  /** Path of the Dockerfile. */
  file: string
  /** The text of the .dockerignore that is in force; '' without any. */
  dockerignore: string
  /** Indices of stages. */
  builderStage: number
  targetStage: number
  decision: PublishDecision
  fingerprints: Fingerprints
  refs: Refs
  /** In the order in which they are built; the production stage is the last. */
  builds: StageBuild[]
  /** Name of the buildx builder, which has the driver docker. */
  buildxBuilder: string
}
