// `bk:` cites docker's behaviour in github.com/moby/buildkit at 73ed682.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Reads the .dockerignore that applies: `FILE.dockerignore` beside the Dockerfile or, if this does not exist, the one in
 * the context (bk: frontend/dockerui/config.go). Returns '' if neither exists.
 *
 * @param file the Dockerfile; undefined for the legacy builder, which uses only the one in the context (docker/cli
 * cli/command/image/build/dockerignore.go)
 */
export async function readDockerignore(contextFolder: string, file: string | undefined): Promise<string> {
  const besideFile = file === undefined ? [] : [`${file}.dockerignore`]
  for (const path of [...besideFile, join(contextFolder, '.dockerignore')]) {
    // docker also ignores a file that it cannot read (bk: the same)
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text !== undefined) return text
  }
  return ''
}
