import { messageOf } from '../lib/errors.ts'
import type { ExecResult } from '../lib/exec.ts'
import type { Docker } from './docker.ts'

/** Returns whether the docker client reports that the engine did not answer (docker/cli, moby client/errors.go). */
export function isEngineGone(text: string): boolean {
  return /cannot connect to the docker daemon|is the docker daemon running|error during connect|docker\.sock: |dial unix |(read|write) unix |failed to connect to the docker API/i.test(
    text
  )
}

/** Returns docker's message if the engine no longer answers, or undefined if it does. */
export async function whyEngineGone(docker: Docker, signal: AbortSignal): Promise<string | undefined> {
  const args = ['version', '--format', '{{.Server.Version}}']
  return docker.call(args, { bound: 'engine-alive', signal }).then(failureOf, messageOf)
}

/**
 * Returns docker's error message, or undefined if docker succeeded. The last line may only repeat a word of the previous
 * one: `error from registry: unknown`, then `unknown`. Since containerd 2.2, the code and message of the registry follow the status
 * on a line of their own (containerd remotes/docker/errcode.go).
 */
export function failureOf({ exitCode, stderr }: ExecResult): string | undefined {
  if (exitCode === 0) return undefined
  const [last = '', before = ''] = linesOf(stderr).toReversed()
  const hasStatus = /unexpected status (from|code) /.test(before) && !before.includes(last)
  return (hasStatus ? `${before}: ${last}` : before.includes(last) ? before : last) || `exit code ${exitCode}`
}

/** Returns the last line that is not blank, which contains docker's error. */
export function lastLine(text: string): string {
  return linesOf(text).at(-1) ?? ''
}

function linesOf(text: string): string[] {
  return text
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
}
