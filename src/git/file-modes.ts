import { chmodSync, lstatSync, realpathSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'

/** Write permission for group and others, which the usual umask 022 removes. */
const WRITABLE = 0o022

/** Returns whether this umask allows more permissions than the usual one. */
export function isWide(umask: number): boolean {
  return (WRITABLE & ~umask) !== 0
}

/**
 * Sets tracked files to the modes of a usual checkout. Git stores only the executable bit, and the umask of the checkout
 * decides the rest of the mode; but the cache key of COPY includes the whole mode (moby/buildkit#4374). So for umask 002
 * or 000, this function removes the additional write permissions of every file and folder. It does not compensate for a
 * stricter umask, because this would expose the files to other users of the machine.
 *
 * @param tracked paths below `folder` that git tracks
 * @param umask umask of the checkout
 * @returns a function that restores the modes
 */
export function narrowModes(folder: string, tracked: readonly string[], umask = process.umask()): () => void {
  if (!isWide(umask)) return () => {}
  // exactly the modes that git sets under this umask: another mode is intended
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

/** Returns the tracked files whose mode differs from that of a usual checkout; the mode is octal: `640`. */
export function unusualModes(folder: string, tracked: readonly string[]): { path: string; mode: string }[] {
  return tracked.flatMap((path) => {
    const mode = modeOf(join(folder, path))
    return mode === undefined || mode === 0o644 || mode === 0o755 ? [] : [{ path, mode: mode.toString(8) }]
  })
}

/** Returns the tracked files and their folders, without paths through symbolic links. */
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

/** Returns the mode of a file or folder, and undefined for anything else. */
function modeOf(path: string): number | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return stats?.isFile() || stats?.isDirectory() ? stats.mode & 0o7777 : undefined
}

function setMode(path: string, mode: number): boolean {
  try {
    chmodSync(path, mode)
    return true
  } catch {
    // the file belongs to another user
    return false
  }
}
