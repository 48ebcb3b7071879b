/** What the user can put right: an input, the Dockerfile, a login, the engine. Its message is one clear sentence; no stack is shown. */
export class UserError extends Error {
  override readonly name = 'UserError'
}

/** The run was cancelled by SIGINT or SIGTERM, as the runner sends them. */
export class CancelledError extends Error {
  override readonly name = 'CancelledError'

  constructor() {
    super('The run was cancelled')
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
