/** An error that the user can fix: an input, the Dockerfile, a login, the engine. Its message is one clear sentence, without a stack. */
export class UserError extends Error {
  override readonly name = 'UserError'
}

/** SIGINT or SIGTERM, which the runner sends, cancelled the run. */
export class CancelledError extends Error {
  override readonly name = 'CancelledError'

  constructor() {
    super('The run was cancelled')
  }
}

/** Returns the message of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
