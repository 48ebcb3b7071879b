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
 * Everything that a run will do, decided before the first build. Plain data without the values of the input `secrets` and
 * without the token: it can be written to a file as JSON, read on another machine and executed there.
 */
export interface Plan {
  inputs: PublicInputs
  commit: Commit
  engine: EngineInfo
  strategy: StrategyChoice
  dockerfile: Dockerfile
  /** Path of the Dockerfile. */
  file: string
  /** Text of the .dockerignore in effect; '' if there is none. */
  dockerignore: string
  /** The tracked files below the build context that differ from the commit, at most 20 of them; undefined if none does. */
  dirty?: { files: string[]; count: number }
  /** Indices of the stages. */
  builderStage: number
  targetStage: number
  decision: PublishDecision
  fingerprints: Fingerprints
  refs: Refs
  /** What tells the production image from others of the same commit; the value of its label. */
  variant: string
  /** What tells it from others of the same commit and variant; the value of its label. */
  buildArgs: string
  /** In build order; the production stage is last. */
  builds: StageBuild[]
  /** Name of the buildx builder; its driver is docker. */
  buildxBuilder: string
}
