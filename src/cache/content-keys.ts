/**
 * One key per instruction, made of what a builder's own cache keys are made of: if the keys are equal, the builder finds the
 * step in its cache; if they differ, it executes it. What cannot be known has no key, and neither has what follows it.
 *
 * BuildKit is right to find in its cache what has another key here:
 * - `COPY --from` and `RUN --mount=from=` are matched by the content that they read, too: if another stage or image has made
 *   the same, this and all that follows is cached;
 * - `COPY --link` does not depend on the steps before it; on engines that cannot merge layers, --link has no meaning at all;
 * - a stage's steps are also those of another stage with the same instructions;
 * - an engine that has received the same context folder before does not notice that only the mode of a folder in it has
 *   changed (github.com/tonistiigi/fsutil, diskwriter.go, HandleChange); an engine that has not does.
 *
 * BuildKit may execute what has the same key as before: extended attributes of files count, except for `security.*` and
 * `system.*`, and so do hard links of which one is excluded. A WORKDIR that is first on scratch is never called cached.
 * The input `no-cache` changes no key: what it makes the engine execute replaces what has the same key.
 *
 * `bk:` cites docker's behaviour in github.com/moby/buildkit at 73ed682.
 */
import type { Dockerfile } from '../dockerfile/model.ts'
import { parseJson } from '../lib/json.ts'
import type { ImageRecord } from '../registry/image.ts'
import type { Selection } from './context-tree.ts'
import { KeyBuilder } from './key-builder.ts'
import type { ImageIdentity, KeyFacts, Platform, StageKeys } from './key-types.ts'
import { sha256 } from './step-parts.ts'

export type { ImageIdentity, Ingredient, InstructionKey, KeyFacts, Platform, StageKeys } from './key-types.ts'

/**
 * Computes the keys of stages and of all that they need.
 *
 * @param stages indices
 * @returns by stage; empty if another frontend interprets the Dockerfile, or the platform is unknown
 */
export function computeContentKeys(
  dockerfile: Dockerfile,
  stages: readonly number[],
  facts: KeyFacts
): Map<number, StageKeys> {
  const builder = new KeyBuilder(dockerfile, facts)
  for (const stage of isOwnFrontend(dockerfile, facts) && facts.platform !== undefined ? stages : [])
    builder.stage(stage)
  return builder.keys()
}

/** Whether docker itself interprets the Dockerfile; the legacy builder always does. */
function isOwnFrontend(dockerfile: Dockerfile, { buildArgs, chainsConfig }: NeedFacts): boolean {
  const syntax = buildArgs.get('BUILDKIT_SYNTAX') ?? dockerfile.syntax ?? ''
  return chainsConfig || syntax === '' || /^(?:docker\.io\/)?docker\/dockerfile/i.test(syntax)
}

type NeedFacts = Pick<KeyFacts, 'buildArgs' | 'platform' | 'isCross' | 'chainsConfig' | 'namedContext'> &
  Partial<Pick<KeyFacts, 'images'>>

/** Returns what the needed stages take of the build context, for `describeContext`. */
export function contextSelections(dockerfile: Dockerfile, stages: readonly number[], facts: NeedFacts): Selection[] {
  return needs(dockerfile, stages, facts).selections
}

/**
 * Returns the external images that must be read.
 *
 * @param platform without it, images whose names contain TARGETARCH and the like are missing
 */
export function imagesForKeys(
  dockerfile: Dockerfile,
  stages: readonly number[],
  buildArgs: ReadonlyMap<string, string>,
  platform?: Platform,
  namedContext: KeyFacts['namedContext'] = undefined
): string[] {
  const named = namedContext && { namedContext }
  return needs(dockerfile, stages, { buildArgs, platform, chainsConfig: false, ...named }).images
}

/** Computes keys for the sake of what is asked for. */
function needs(
  dockerfile: Dockerfile,
  stages: readonly number[],
  facts: NeedFacts
): { selections: Selection[]; images: string[] } {
  const selections = new Map<string, Selection>()
  const images = new Set<string>()
  const take = (selection: Selection): undefined => {
    selections.set(JSON.stringify(selection), selection)
  }
  class Asked extends Map<string, ImageIdentity | undefined> {
    override get(name: string): ImageIdentity | undefined {
      images.add(name)
      return facts.images?.get(name)
    }
  }
  const builder = new KeyBuilder(dockerfile, {
    ...facts,
    runOptions: { addHosts: [] },
    images: new Asked(),
    context: { take }
  })
  for (const stage of isOwnFrontend(dockerfile, facts) ? stages : []) builder.stage(stage)
  return { selections: [...selections.values()], images: [...images] }
}

export function identityOf({ layers, runtime, hasTriggers }: ImageRecord): ImageIdentity {
  const entries: unknown = parseJson(runtime)
  const config = new Map(Array.isArray(entries) ? (entries as [string, unknown][]) : [])
  const strings = (value: unknown): string[] | undefined => (Array.isArray(value) ? value.map(String) : undefined)
  return {
    identity: sha256([layers, runtime]),
    hasTriggers: hasTriggers ?? config.has('OnBuild'),
    layers: sha256(layers),
    config: {
      env: strings(config.get('Env')) ?? [],
      user: String(config.get('User') ?? ''),
      workdir: String(config.get('WorkingDir') ?? ''),
      shell: strings(config.get('Shell'))
    }
  }
}
