import { readdir, realpath } from 'node:fs/promises'
import { basename, dirname, join, posix, relative } from 'node:path'
import type { Git } from './git.ts'
import type { GitHub } from './github.ts'

/** What is known of the difference between a published image's commit and what is built now. */
export interface Changes {
  /** Paths below the build context, '/'-separated, that differ; undefined if it cannot be known. */
  changed: string[] | undefined
  /** Paths below the build context that git does not track, `.git/` included; a folder ends in '/'. undefined without git. */
  untracked: string[] | undefined
  /** Whether the Dockerfile differs; undefined if unknown, or if it is not in the repository. */
  dockerfileChanged: boolean | undefined
}

/** The changes since a commit. */
export type ChangesSince = (revision: string) => Promise<Changes>

/** `findChanges` for one build, which looks for those since the same commit once. */
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
 * Compares a commit with the work tree around the build context: by git or, where the clone is too shallow for that, by
 * git and GitHub. Without git nothing is known, for then nothing tells where in the repository the context is.
 *
 * @param git asks in the build context
 * @param revision the commit of the published image; any text
 * @param commit the commit that is built
 * @param paths the build context and the Dockerfile, which are there
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
 * GitHub knows the way to a commit that is here too, and git the rest of it, to the work tree. So a file that was
 * changed in commits and changed back since counts as changed.
 */
async function compareByGitHub(
  git: Git,
  github: GitHub,
  revision: string,
  built: string
): Promise<string[] | undefined> {
  const head = (await git.commit('HEAD'))?.sha
  // a pull request's checkout has its merge commit only; after a commit in the workflow GitHub does not know HEAD
  for (const sha of new Set([built, head])) {
    const here = sha === undefined ? undefined : await git.changedSince(sha)
    const there = sha === undefined || here === undefined ? undefined : await github.changedFiles(revision, sha)
    if (here && there) return [...new Set([...there, ...here])]
  }
  return undefined
}

/** The paths below a folder, relative to it. */
function below(folder: string, paths: string[]): string[] {
  return paths.filter((path) => path.startsWith(folder)).map((path) => path.slice(folder.length))
}

async function untrackedBelow(prefix: string, untracked: string[], context: string): Promise<string[]> {
  const entries = (await readdir(context, { withFileTypes: true })).map((entry) =>
    entry.isDirectory() ? `${entry.name}/` : entry.name
  )
  // git names but the outermost folder it tracks nothing of, and the context may be in there
  if (untracked.some((path) => path.endsWith('/') && prefix.startsWith(path))) return entries
  // git does not list its own folder (a file in a work tree of `git worktree`), but docker gets it
  return [...below(prefix, untracked), ...entries.filter((entry) => entry === '.git/' || entry === '.git')]
}

/** A Dockerfile that is a link has changed if the link or the file has. */
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
  // git names a submodule by its folder
  return paths.some((path) => changed.some((other) => path === other || path.startsWith(`${other}/`)))
}
