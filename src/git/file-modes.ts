import { chmodSync, lstatSync, realpathSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'

/** Group and others may write: what a usual umask of 022 takes away. */
const WRITABLE = 0o022

/** Whether files get more permissions under this umask than under the usual one. */
export function isWide(umask: number): boolean {
  return (WRITABLE & ~umask) !== 0
}

/**
 * Gives tracked files the modes of a usual checkout. Git keeps of a mode only whether a file is executable, and takes the rest
 * from the umask of the checkout; but all of it counts for the cache of COPY (moby/buildkit#4374). So under umask 002 or 000
 * every file and folder loses the write permissions that this umask left it. A stricter umask is left alone: to undo it
 * would show the files to others on this machine.
 *
 * @param tracked paths below `folder` that git tracks
 * @param umask of the checkout
 * @returns what puts the modes back
 */
export function narrowModes(folder: string, tracked: readonly string[], umask = process.umask()): () => void {
  if (!isWide(umask)) return () => {}
  // exactly what git makes under this umask: another mode was somebody's wish
  const asGitMakes = new Set([0o666 & ~umask, 0o777 & ~umask])
  const changed: { path: string; mode: number }[] = []
  for (const path of placesOf(folder, tracked)) {
    const mode = modeOf(path)
    if (mode === undefined || !asGitMakes.has(mode)) continue
    if (setMode(path, mode & ~WRITABLE)) changed.push({ path, mode })
  }
  return () => {
    for (const { path, mode } of changed) if (modeOf(path) === (mode & ~WRITABLE)) setMode(path, mode)
  }
}

/** Tracked files that have another mode than a usual checkout gives them, as `path (mode 640)`. */
export function unusualModes(folder: string, tracked: readonly string[]): { path: string; mode: string }[] {
  return tracked.flatMap((path) => {
    const mode = modeOf(join(folder, path))
    return mode === undefined || mode === 0o644 || mode === 0o755 ? [] : [{ path, mode: mode.toString(8) }]
  })
}

/** The tracked files and their folders, without any that a symbolic link would lead out of. */
function placesOf(folder: string, tracked: readonly string[]): string[] {
  const top = realpathSync(folder)
  const folders = new Map<string, boolean>()
  const isInside = (path: string): boolean => {
    if (path === top) return true
    if (!path.startsWith(top + sep)) return false
    const known = folders.get(path)
    if (known !== undefined) return known
    const inside = isInside(dirname(path)) && lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true
    folders.set(path, inside)
    return inside
  }
  const files = tracked.map((path) => join(top, path)).filter((path) => isInside(dirname(path)))
  return [top, ...[...folders].flatMap(([path, inside]) => (inside ? [path] : [])), ...files]
}

/** undefined for what is neither a file nor a folder. */
function modeOf(path: string): number | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return stats?.isFile() || stats?.isDirectory() ? stats.mode & 0o7777 : undefined
}

function setMode(path: string, mode: number): boolean {
  try {
    chmodSync(path, mode)
    return true
  } catch {
    // another user's
    return false
  }
}
