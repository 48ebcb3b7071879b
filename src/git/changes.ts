import { readdir, realpath } from 'node:fs/promises'
import { basename, dirname, join, posix, relative } from 'node:path'
import type { Git } from './git.ts'
import type { GitHub } from './github.ts'

/** The known differences between the commit of a published image and the files of this build. */
export interface Changes {
  /** Changed paths below the build context, '/'-separated; undefined if unknown. */
  changed: string[] | undefined
  /** Paths below the build context that git does not track, including `.git/`; a folder ends in '/'. undefined without git. */
  untracked: string[] | undefined
  /** Whether the Dockerfile has changed; undefined if unknown, or if it is not in the repository. */
  dockerfileChanged: boolean | undefined
}

/** Finds the changes since a commit. */
export type ChangesSince = (revision: string) => Promise<Changes>

/** Returns `findChanges` for one build, with a cache by commit. */
export function changesFinder(
  git: Git,
  github: GitHub,
  commit: { sha: string },
  paths: { context: string; file: string }
): ChangesSince {
  const known = new Map<string, Promise<Changes>>()
  return (revision) => {
    const changes = known.get(revision) ?? findChanges(git, github, revision, commit, paths)
    known.set(revision, changes)
    return changes
  }
}

/**
 * Compares a commit with the work tree around the build context: with git or, if the clone is too shallow, with git and
 * GitHub. Without git all is unknown, including the position of the context in the repository.
 *
 * @param git runs in the build context
 * @param revision the commit of the published image; any text
 * @param commit the commit of this build
 * @param paths the build context and the Dockerfile, which must exist
 * @throws Error if one of `paths` cannot be read
 */
export async function findChanges(
  git: Git,
  github: GitHub,
  revision: string,
  commit: { sha: string },
  paths: { context: string; file: string }
): Promise<Changes> {
  const [prefix, untracked, local] = await Promise.all([git.prefix(), git.untracked(), git.changedSince(revision)])
  if (prefix === undefined || untracked === undefined) {
    return { changed: undefined, untracked: undefined, dockerfileChanged: undefined }
  }
  const changed = local ?? (await compareByGitHub(git, github, revision, commit.sha))
  return {
    changed: changed && below(prefix, changed),
    untracked: await untrackedBelow(prefix, untracked, paths.context),
    dockerfileChanged: await isDockerfileChanged(prefix, changed, untracked, paths)
  }
}

/**
 * Combines GitHub's changes up to a commit that the clone contains with git's changes from there to the work tree. A file
 * that a commit changed and a later one changed back counts as changed.
 */
async function compareByGitHub(
  git: Git,
  github: GitHub,
  revision: string,
  built: string
): Promise<string[] | undefined> {
  const head = (await git.commit('HEAD'))?.sha
  // the checkout of a pull request has only the merge commit; after a commit in the workflow, GitHub does not know HEAD
  for (const sha of new Set([built, head])) {
    const here = sha === undefined ? undefined : await git.changedSince(sha)
    const there = sha === undefined || here === undefined ? undefined : await github.changedFiles(revision, sha)
    if (here && there) return [...new Set([...there, ...here])]
  }
  return undefined
}

/**
 * Returns the tracked files below the build context that differ from a commit: paths relative to the context. Undefined without
 * git. In submodules, only tracked files count.
 *
 * @param git runs in the build context
 */
export async function dirtyFiles(git: Git, sha: string): Promise<string[] | undefined> {
  const [prefix, changed] = await Promise.all([git.prefix(), git.changedSince(sha)])
  return prefix === undefined || changed === undefined ? undefined : below(prefix, changed)
}

/** Returns the paths below a folder, relative to it. */
function below(folder: string, paths: string[]): string[] {
  return paths.filter((path) => path.startsWith(folder)).map((path) => path.slice(folder.length))
}

async function untrackedBelow(prefix: string, untracked: string[], context: string): Promise<string[]> {
  const entries = (await readdir(context, { withFileTypes: true })).map((entry) =>
    entry.isDirectory() ? `${entry.name}/` : entry.name
  )
  // git lists only the outermost folder without tracked files, which may contain the context
  if (untracked.some((path) => path.endsWith('/') && prefix.startsWith(path))) return entries
  // git does not list its own folder (a file in a work tree of `git worktree`), but the build context contains it
  return [...below(prefix, untracked), ...entries.filter((entry) => entry === '.git/' || entry === '.git')]
}

/** Returns whether the Dockerfile has changed. If it is a link, a change of the link or of its target counts. */
async function isDockerfileChanged(
  prefix: string,
  changed: string[] | undefined,
  untracked: string[],
  { context, file }: { context: string; file: string }
): Promise<boolean | undefined> {
  const [folder, top, target] = await Promise.all([realpath(dirname(file)), realpath(context), realpath(file)])
  const paths = [join(folder, basename(file)), target].map((path) => posix.join(prefix, relative(top, path)))
  const inRepository = paths.every(
    (path) =>
      !path.startsWith('../') &&
      !untracked.some((other) => path === other || (other.endsWith('/') && path.startsWith(other)))
  )
  if (!inRepository || !changed) return undefined
  // git lists a submodule as its folder
  return paths.some((path) => changed.some((other) => path === other || path.startsWith(`${other}/`)))
}
