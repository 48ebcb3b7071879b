/** An answer of the stand-in registry. */
export interface Reply {
  status: number
  headers: Record<string, string>
  body: Buffer
}

/** A refusal, as the distribution spec has it. */
export class RegistryError extends Error {
  readonly status: number
  readonly code: string
  readonly headers: Record<string, string>

  constructor(status: number, code: string, message: string, headers: Record<string, string> = {}) {
    super(message)
    this.status = status
    this.code = code
    this.headers = headers
  }

  get reply(): Reply {
    return json(this.status, { errors: [{ code: this.code, message: this.message }] }, this.headers)
  }
}

export function json(status: number, value: object, headers: Record<string, string> = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(`${JSON.stringify(value)}\n`)
  }
}

export function empty(status: number, headers: Record<string, string> = {}): Reply {
  return { status, headers, body: Buffer.alloc(0) }
}
