/**
 * What may be published: the rules for all histories, in words and as checks. They know the truth that no run knows: which files
 * and layers are in an image, and which tests passed in it. They share no code with the action.
 */
import type { Commits, Tree } from './commits.ts'
import { contentOf, type Image, type Truth } from './engine.ts'

/** The repository of all images. */
export const IMAGE = 'octo/app'

/** A run, as somebody sees it who knows everything. */
export interface RunFacts {
  id: number
  /** The commit in the checkout. */
  head: string
  /** The files in the checkout: not those of `head` if the tree is dirty. */
  files: Tree
  isDirty: boolean
  /** The event and the checkout, for people. */
  title: string
  /** Whether an event of people who may write to the repository, about its own code, caused it. */
  isTrusted: boolean
  /** Whether it builds the tip that the publishing branch had at the event, in a checkout of exactly that commit. */
  isOfPublishingBranch: boolean
  /** The branch that a tag of its name may follow: that of the event, if the checkout is at the event's own commit. */
  branch: string
  pullRequest: number | undefined
  /** The inputs `tests` and `cache-tags`. */
  tests: readonly string[]
  cacheTags: string
  /** All that it has logged. */
  messages: () => string[]
  /** When it began. */
  beganAt: number
  /** The images that the tags had when it began. */
  before: ReadonlyMap<string, Image>
}

/** How a run ended. */
export interface Ended {
  run: RunFacts
  end: 'green' | 'failed' | 'cancelled' | 'killed'
  /** Its outputs `tags`, `cache-tags`, `published`, `publish-reason`. */
  tags: readonly string[]
  addedTags: readonly string[]
  isPublished: boolean
  reason: string
  digests: Readonly<Record<string, string>>
  /** Its failures, as sentences. */
  failures: readonly string[]
  /** Whether its plan was to set the moving tags, too. */
  plansToPublish: boolean
}

/** A tag that got an image. */
export interface Write {
  run: RunFacts
  tag: string
  image: Image
  /** The image that it had. */
  previous: Image | undefined
  /** Whether the run got an answer: only then can it know. */
  isAnswered: boolean
}

/** The world in which runs happen. */
export interface World {
  commits: Commits
  truth: Truth
  /** When the publishing branch last lost commits. */
  readonly forcedAt: number
  /** Commits that are or were in the publishing branch. */
  published: ReadonlySet<string>
  writes: readonly Write[]
  tags: ReadonlyMap<string, Image>
}

export type Kind = 'commit' | 'cache' | 'tested' | 'moving' | 'candidate' | 'kept' | 'pull request' | 'user'

export function kindOf(tag: string): Kind {
  if (/^[0-9a-f]{7}$/.test(tag)) return 'commit'
  if (/^cache-[0-9a-f]{16}$/.test(tag)) return 'cache'
  if (/^tested-[0-9a-f]{16}$/.test(tag)) return 'tested'
  if (['latest', 'builder', 'builder-stage-assets'].includes(tag)) return 'moving'
  if (tag === 'latest-cache') return 'kept'
  if (/^builder-next(-stage-assets)?$/.test(tag)) return 'candidate'
  return /^pr-\d+$/.test(tag) ? 'pull request' : 'user'
}

export function testsOf({ tests = '' }: Tree): string[] {
  return tests.split('\n').filter((test) => test !== '')
}

/** Which stage a tag names. */
function stageOf(tag: string): string | undefined {
  const [, assets] = /^builder(?:-next)?(?:-stage-(assets))?$/.exec(tag) ?? []
  return assets ?? (/^builder(-next)?$/.test(tag) ? 'builder' : undefined)
}

/** The candidate tag of a moving tag. */
function candidateOf(tag: string): string {
  return tag.replace(/^builder/, 'builder-next')
}

/** Whether all tests passed in the builder image that this image contains, or is. */
function isTested({ truth }: World, image: Image, tests: readonly string[]): boolean {
  const builders = image.copied.length > 0 ? image.copied : [image.record.layers.join()]
  return builders.every((layers) => truth.havePassed(layers, tests))
}

/** Whether a message says that the tree is dirty. */
function saysDirty(run: RunFacts): boolean {
  return run.messages().some((message) => message.includes('differs from commit'))
}

/** Whether a run of the publishing branch that said that its tree is dirty has published the image. */
function isOfDirtyRun(image: Image, { writes }: World): boolean {
  return writes.some(({ run, image: other }) => other === image && run.isDirty && run.isOfPublishingBranch)
}

/** Whether a tag that follows the branch got the image of a newer commit, which that commit's run has published. */
function isGivenBack({ run, tag, image }: Write, { commits, writes, published: inMaster }: World): boolean {
  if (!(kindOf(tag) === 'moving' || commits.branches.has(tag))) return false
  const tip = commits.branches.get(run.branch)
  const inBranch = tip === undefined ? new Set() : commits.history(tip)
  return writes.some(
    ({ run: other, tag: commitTag, image: published }) =>
      published === image &&
      (commitTag === other.head.slice(0, 7) || commitTag === candidateOf(tag)) &&
      other.head !== run.head &&
      (other.branch === run.branch || inBranch.has(other.head) || (run.branch === 'master' && inMaster.has(other.head)))
  )
}

type Rule = [words: string, isBroken: (write: Write, world: World, kind: Kind) => boolean]

/** What must hold at each moment at which a tag gets an image. */
const RULES: Rule[] = [
  ['a run of a fork, of Dependabot, or of an event that anybody can cause writes nothing', ({ run }) => !run.isTrusted],
  [
    'a commit tag names the commit of the checkout',
    ({ run, tag }, _, kind) => kind === 'commit' && tag !== run.head.slice(0, 7)
  ],
  [
    'the image of a commit, of a pull request or of a further tag has the content of the checkout',
    (write, world, kind) =>
      ['commit', 'pull request', 'user'].includes(kind) &&
      write.image.content !== contentOf(write.run.files) &&
      !isGivenBack(write, world)
  ],
  [
    'a run whose checkout has other files than its commit says so before it writes anything',
    ({ run }) => run.isDirty && !saysDirty(run)
  ],
  [
    'an image gets a tag other than a cache tag only after all tests of the run passed in it',
    (write, world, kind) =>
      ['commit', 'pull request', 'user', 'tested', 'candidate'].includes(kind) &&
      stageOf(write.tag) !== 'assets' &&
      !isTested(world, write.image, write.run.tests) &&
      !isGivenBack(write, world)
  ],
  [
    'only a run of the publishing branch with a checkout of the event’s own commit sets moving tags',
    ({ run }, _, kind) => ['moving', 'candidate', 'kept'].includes(kind) && !run.isOfPublishingBranch
  ],
  [
    'a moving tag names an image of the content of a commit that is or was in the publishing branch, with its tests passed',
    ({ run, image, tag }, world, kind) =>
      kind === 'moving' &&
      !isOfDirtyRun(image, world) &&
      !(run.isDirty && image.content === contentOf(run.files, stageOf(tag))) &&
      ![...world.published].some((sha) => {
        const { tree } = world.commits.get(sha)
        const isSame = hasStage(tree, tag) && image.content === contentOf(tree, stageOf(tag))
        return isSame && (stageOf(tag) === 'assets' || isTested(world, image, testsOf(tree)))
      })
  ],
  [
    'the tag of a pull request is set by a run of this pull request',
    ({ run, tag }, _, kind) => kind === 'pull request' && tag !== `pr-${run.pullRequest}`
  ],
  [
    'a tag that is named after a branch is set by a run of that branch, with a checkout of the event’s own commit',
    ({ run, tag }, { commits }, kind) => kind === 'user' && commits.branches.has(tag) && run.branch !== tag
  ],
  [
    'cache tags are added only as the input says',
    ({ run }, _, kind) =>
      kind === 'cache' &&
      (run.cacheTags === 'none' || (run.cacheTags === 'publish-branch' && !run.isOfPublishingBranch))
  ],
  [
    'a cache tag that names a usable image keeps it, unless the run has other results for its steps',
    ({ run, tag, image, previous }, _, kind) => {
      if (kind !== 'cache') return false
      // what the run has seen is one of these
      return [run.before.get(tag), previous].every(
        (before) =>
          before !== undefined &&
          before !== image &&
          before.record.recorded?.length !== 0 &&
          // of the stages from which production copies, a run may have other results
          (before.content === image.content || image.copied.length === 0) &&
          [...before.results].every(([content, layer]) => (image.results.get(content) ?? layer) === layer)
      )
    }
  ]
]

function hasStage({ Dockerfile = '' }: Tree, tag: string): boolean {
  const stage = stageOf(tag)
  return stage === undefined || Dockerfile.includes(` AS ${stage}`)
}

/** The rules that a write breaks. */
export function brokenBy(write: Write, world: World): string[] {
  const kind = kindOf(write.tag)
  return RULES.flatMap(([words, isBroken]) => (isBroken(write, world, kind) ? [words] : []))
}

type EndRule = [words: string, isBroken: (ended: Ended, world: World) => boolean]

const tagIn = (reference: string): string => reference.slice(IMAGE.length + 1)

function ownWrites({ run }: Ended, { writes }: World): Write[] {
  return writes.filter((write) => write.run === run)
}

/** What must hold when a run has ended. */
const END_RULES: EndRule[] = [
  [
    'what a run reports as pushed has arrived in the registry',
    (ended, world) =>
      [...ended.tags, ...ended.addedTags].some(
        (reference) =>
          !ownWrites(ended, world).some(
            ({ tag, image }) =>
              tag === tagIn(reference) && (ended.digests[reference] ?? image.record.digest) === image.record.digest
          )
      )
  ],
  [
    'a run reports all that it knows to have arrived',
    (ended, world) => {
      const reported = [...ended.tags, ...ended.addedTags].map(tagIn)
      return ownWrites(ended, world).some(
        (write, index, all) =>
          write.isAnswered &&
          !['candidate', 'kept'].includes(kindOf(write.tag)) &&
          !reported.includes(write.tag) &&
          !isGivenBack(write, world) &&
          // it has set the tag again
          !all.slice(index + 1).some(({ tag }) => tag === write.tag)
      )
    }
  ],
  [
    'a run that failed has set no tag but cache tags before its failure, unless a push failed or it was cancelled',
    (ended, world) =>
      ended.end === 'failed' &&
      ended.failures.some((failure) => /^Test |could not be built|build of/.test(failure)) &&
      ownWrites(ended, world).some(({ tag }) => kindOf(tag) !== 'cache')
  ],
  [
    'the output published is true only if latest named the image of the run',
    (ended, world) =>
      ended.isPublished &&
      !(
        ended.run.isOfPublishingBranch &&
        [
          ended.run.before.get('latest'),
          ...world.writes.map(({ tag, image }) => (tag === 'latest' ? image : undefined))
        ]
          .map((image) => image?.content)
          .includes(contentOf(ended.run.files))
      )
  ],
  [
    'a green run that may push has set the commit tag',
    (ended, world) =>
      ended.end === 'green' &&
      ended.run.isTrusted &&
      !ownWrites(ended, world).some(({ tag }) => tag === ended.run.head.slice(0, 7))
  ],
  [
    'a green run of the publishing branch has set the moving tags, or says why not',
    (ended) =>
      ended.end === 'green' &&
      ended.run.isOfPublishingBranch &&
      !ended.isPublished &&
      !/not updated|names? its image|would be a worse cache/.test(ended.reason)
  ],
  [
    'a run that sets no moving tag says why',
    ({ run, end, isPublished, reason }) =>
      end === 'green' &&
      !run.isOfPublishingBranch &&
      (isPublished || !/pushes (nothing|the commit's tags but)/.test(reason))
  ],
  [
    'a run that failed says why',
    ({ end, failures, reason }) => end === 'failed' && (failures.length === 0 || failures.includes('') || reason === '')
  ]
]

/** The rules that a run breaks by its end. */
export function brokenAtEnd(ended: Ended, world: World): string[] {
  if (ended.end === 'killed') return []
  return END_RULES.flatMap(([words, isBroken]) => (isBroken(ended, world) ? [words] : []))
}

/** What a run says if it could not know the order of commits. */
const UNSURE = /Cannot determine whether|names no commit|could not be set to it/

/**
 * When all runs have ended, `latest` names the newest commit of the publishing branch that a green run published, or a newer one of
 * which the image is there and tested; and so does each tag that is named after the branch. Exceptions: the last run that set the
 * tag said that it could not know the order, or it ended too early to see to it.
 */
export function brokenInTheEnd(world: World, ended: readonly Ended[], tag: string): string[] {
  const { commits, tags } = world
  const tip = commits.branches.get('master') ?? ''
  const branch = [...commits.history(tip)]
  const isOlder = (one: string, other: string): boolean => one !== other && commits.history(other).has(one)
  const green = ended.filter(({ run, end }) => end === 'green' && run.isOfPublishingBranch && branch.includes(run.head))
  const newest = green
    .filter(({ run }) => !green.some((other) => isOlder(run.head, other.run.head)))
    // after a force-push, only a later run can see to it
    .filter(({ run }) => run.beganAt >= world.forcedAt)
  if (newest.length === 0) return []
  const isNewer = (sha: string): boolean => newest.some(({ run }) => isOlder(run.head, sha))
  const right = [
    ...newest.map(({ run }) => contentOf(run.files)),
    ...branch.filter((sha) => isNewer(sha) && tags.has(sha.slice(0, 7))).map((sha) => contentOf(commits.get(sha).tree))
  ]
  const image = tags.get(tag)
  const last = world.writes.findLast((write) => write.tag === tag)?.run
  const end = ended.find(({ run }) => run === last)
  if (image === undefined) return [`nothing is published as ${tag}`]
  // it may have asked before the branch lost its commit
  if (last !== undefined && last.beganAt < world.forcedAt && !branch.includes(last.head)) return []
  if (right.includes(image.content) || end?.end !== 'green') return []
  if (last?.messages().some((message) => UNSURE.test(message))) return []
  return [
    `${tag} names the newest published commit of the branch (${newest.map(({ run }) => run.head.slice(0, 7)).join(' or ')}); it was last set by run ${last?.id}`
  ]
}
