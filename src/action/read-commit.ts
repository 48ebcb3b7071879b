import { readFileSync } from 'node:fs'
import type { Git } from '../git/git.ts'
import { messageOf, UserError } from '../lib/errors.ts'
import { type Commit, readCommit } from './event.ts'

/**
 * Reads the commit of the run: that of the checkout, or, if git cannot tell, that of the event.
 *
 * @param env the environment of the action
 * @throws UserError if no commit can be determined, or the event cannot be read
 */
export async function readEventCommit(env: Readonly<Record<string, string | undefined>>, git: Git): Promise<Commit> {
  const head = await git.commit('HEAD')
  const local = head && { ...head, branch: env.GITHUB_SHA ? '' : await git.branch() }
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
