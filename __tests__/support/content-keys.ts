import {
  computeContentKeys,
  contextSelections,
  type ImageIdentity,
  type InstructionKey,
  type KeyFacts,
  type StageKeys
} from '../../src/cache/content-keys.ts'
import { describeContext } from '../../src/cache/context-entries.ts'
import { keysLabel } from '../../src/cache/keys-label.ts'
import { parseDockerfile } from '../../src/dockerfile/parse.ts'
import { splitAtEquals } from '../../src/lib/text.ts'
import type { StageBuild } from '../../src/plan/stage-builds.ts'

export const AMD64 = { os: 'linux', architecture: 'amd64' }

/** An image with nothing but a PATH. */
export function image(identity: string, more: Partial<ImageIdentity> = {}): ImageIdentity {
  const config = { env: ['PATH=/bin'], user: '', workdir: '', shell: undefined }
  return { identity, hasTriggers: false, config, ...more }
}

export type World = Partial<Omit<KeyFacts, 'context'>> & {
  /** The build context; by default there is none. */
  folder?: string
  dockerignore?: string
}

/** The keys of the last stage and of all that it needs. */
export async function keysOf(text: string, world: World = {}): Promise<Map<number, StageKeys>> {
  const { folder, dockerignore = '', ...more } = world
  const facts = {
    buildArgs: new Map<string, string>(),
    platform: AMD64,
    runOptions: { addHosts: [] },
    images: new Map([['busybox', image('busybox')]]),
    chainsConfig: false,
    ...more
  }
  const dockerfile = parseDockerfile(text, Object.fromEntries(facts.buildArgs))
  const stages = [dockerfile.stages.length - 1]
  const selections = folder === undefined ? [] : contextSelections(dockerfile, stages, facts)
  const context = await describeContext(folder ?? '', dockerignore, selections)
  return computeContentKeys(dockerfile, stages, { ...facts, context })
}

/** The instructions of all stages in order, each stage's FROM first. */
export function all(keys: ReadonlyMap<number, StageKeys>): InstructionKey[] {
  return [...keys.values()].flatMap(({ base, instructions }) => [base, ...instructions])
}

/** The last stage. */
export function last(keys: ReadonlyMap<number, StageKeys>): StageKeys {
  const stage = [...keys.values()].at(-1)
  if (!stage) throw new Error('no keys')
  return stage
}

/** The first instruction whose keys differ, `KEYWORD line`; undefined if none does. */
export function firstDifference(
  before: ReadonlyMap<number, StageKeys>,
  now: ReadonlyMap<number, StageKeys>
): string | undefined {
  const others = all(before)
  const found = all(now).find(({ key }, index) => key !== others[index]?.key)
  return found && `${found.keyword} ${found.line}`
}

/** The label with the keys of a build, as its image has it. */
export function labelsWithKeys(
  build: Pick<StageBuild, 'own'>,
  keys: ReadonlyMap<number, StageKeys>,
  engine = ''
): Record<string, string> {
  return Object.fromEntries([splitAtEquals(keysLabel(build, keys, engine))])
}
