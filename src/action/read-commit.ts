import { readFileSync } from 'node:fs'
import type { Git } from '../git/git.ts'
import { messageOf, UserError } from '../lib/errors.ts'
import { type Commit, readCommit } from './event.ts'

/**
 * Reads the commit of the run: the commit of the event, or, outside GitHub, of the checkout.
 *
 * @param env the environment of the action
 * @throws UserError if no commit can be determined, or the event cannot be read
 */
export async function readEventCommit(env: Readonly<Record<string, string | undefined>>, git: Git): Promise<Commit> {
  const head = env.GITHUB_SHA ? undefined : await git.commit('HEAD')
  const local = head && { sha: head.sha, branch: await git.branch() }
  try {
    return readCommit(env, readPayload(env.GITHUB_EVENT_PATH), local)
  } catch (error) {
    throw new UserError(messageOf(error))
  }
}

function readPayload(path: string | undefined): unknown {
  if (!path) return undefined
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new UserError(`The event's payload at GITHUB_EVENT_PATH cannot be read: ${messageOf(error)}`)
  }
}
