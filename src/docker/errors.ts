import { messageOf } from '../lib/errors.ts'
import type { ExecResult } from '../lib/exec.ts'
import type { Docker } from './docker.ts'

/** Whether the docker command says that the engine did not answer it (docker/cli, moby client/errors.go). */
export function isEngineGone(text: string): boolean {
  return /cannot connect to the docker daemon|is the docker daemon running|error during connect|docker\.sock: |dial unix |(read|write) unix |failed to connect to the docker API/i.test(
    text
  )
}

/** Milliseconds in which an engine answers whether it is there. */
const ENGINE_ANSWERS_WITHIN = 10_000

/** Why the engine does not answer any more, in docker's words; undefined if it does. */
export async function whyEngineGone(docker: Docker): Promise<string | undefined> {
  const args = ['version', '--format', '{{.Server.Version}}']
  return docker.call(args, { patience: ENGINE_ANSWERS_WITHIN }).then(failureOf, messageOf)
}

/**
 * What docker said of why it failed; undefined if it did not. Its last line may only repeat a word of the one before:
 * `error from registry: unknown`, then `unknown`.
 */
export function failureOf({ exitCode, stderr }: ExecResult): string | undefined {
  if (exitCode === 0) return undefined
  const [last = '', before = ''] = linesOf(stderr).toReversed()
  return (before.includes(last) ? before : last) || `exit code ${exitCode}`
}

/** The last line that says something, where docker puts its error. */
export function lastLine(text: string): string {
  return linesOf(text).at(-1) ?? ''
}

function linesOf(text: string): string[] {
  return text
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
}
