import type { Git } from './git.ts'
import type { GitHub } from './github.ts'

/** Finds the changed paths below the build context since a commit, '/'-separated; undefined if they are unknown. */
export type ChangesSince = (revision: string) => Promise<string[] | undefined>

/** Returns `findChanges` for one build, with a cache by commit. */
export function changesFinder(git: Git, github: GitHub, commit: { sha: string }): ChangesSince {
  const known = new Map<string, Promise<string[] | undefined>>()
  return (revision) => {
    const changes = known.get(revision) ?? findChanges(git, github, revision, commit)
    known.set(revision, changes)
    return changes
  }
}

/**
 * Compares a commit with the work tree below the build context: with git or, if the clone is too shallow, with git and GitHub.
 * Untracked files are not compared.
 *
 * @param git runs in the build context
 * @param revision the commit of the published image; any text
 * @param commit the commit of this build
 */
export async function findChanges(
  git: Git,
  github: GitHub,
  revision: string,
  commit: { sha: string }
): Promise<string[] | undefined> {
  const [prefix, local] = await Promise.all([git.prefix(), git.changedSince(revision)])
  if (prefix === undefined) return undefined
  const changed = local ?? (await compareByGitHub(git, github, revision, commit.sha))
  return changed && below(prefix, changed)
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
  // after a commit in the workflow, GitHub does not know HEAD
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
