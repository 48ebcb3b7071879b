// `bk:` cites docker's behaviour in github.com/moby/buildkit at 73ed682.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Reads the .dockerignore that applies: `FILE.dockerignore` beside the Dockerfile or, if this does not exist, the one in
 * the context (bk: frontend/dockerui/config.go). The legacy builder uses only the second. Returns '' if neither exists.
 */
export async function readDockerignore(contextFolder: string, file: string): Promise<string> {
  for (const path of [`${file}.dockerignore`, join(contextFolder, '.dockerignore')]) {
    // docker also ignores a file that it cannot read (bk: the same)
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text !== undefined) return text
  }
  return ''
}
