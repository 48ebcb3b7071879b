import type { FaultKind } from './faults.ts'

/** An answer of a registry, or of a front end before it. */
export interface Answer {
  status: number
  headers: Record<string, string>
  body: string
}

/** Kinds of faults that consist of an answer alone. */
export type AnsweredKind = Exclude<FaultKind, 'reset-request' | 'reset-response' | 'stall' | 'slow'>

/** Returns the answer of a fault to a request. */
export function answerOf(kind: AnsweredKind, method: string, url: string): Answer {
  const [, repository = ''] = /^\/v2\/(.+?)\/(?:manifests|blobs|tags)\//.exec(url) ?? []
  switch (kind) {
    case '429':
      // the wording of ghcr.io
      return errors(429, 'TOOMANYREQUESTS', 'retry-after: 1s, allowed: 44000/minute', { 'retry-after': '1' })
    case '500':
      return errors(500, 'UNKNOWN', 'unknown error')
    case '502':
      return page(502, 'Bad Gateway')
    case '503':
      return page(503, 'Service Temporarily Unavailable')
    case 'expired-token':
      return errors(401, 'UNAUTHORIZED', 'authentication required', {
        'www-authenticate': `Bearer realm="http://127.0.0.1:5001/token",service="127.0.0.1:5001",scope="repository:${repository}:pull,push",error="invalid_token"`
      })
    case 'wrong-credentials':
      return errors(401, 'UNAUTHORIZED', 'incorrect username or password', {
        'www-authenticate': 'Basic realm="127.0.0.1:5001"'
      })
    case 'denied':
      // the wording of ghcr.io
      return errors(403, 'DENIED', 'denied: installation not allowed to Create organization package')
    case 'unknown-repository':
      return errors(404, 'NAME_UNKNOWN', 'repository name not known to registry', {}, { name: repository })
    case 'disk-full':
      return errors(500, 'UNKNOWN', 'unknown error', {}, diskFullDetail(method, url))
  }
}

/** The answer of docker-registry 2.8 on a full file system: a text during an upload, otherwise an errno. */
function diskFullDetail(method: string, url: string): unknown {
  const folder = `/var/lib/registry/docker/registry/v2`
  const [, repository = '', upload = ''] = /^\/v2\/(.+)\/blobs\/uploads\/([^/?]*)/.exec(url) ?? []
  if (method === 'PATCH') {
    return `write ${folder}/repositories/${repository}/_uploads/${upload}/data: no space left on device`
  }
  const Path =
    upload === '' ? `${folder}/blobs/sha256/00/data` : `${folder}/repositories/${repository}/_uploads/startedat`
  return { DriverName: 'filesystem', Enclosed: { Op: 'write', Path, Err: 28 } }
}

/** An error in the format of the distribution specification. */
function errors(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
  detail?: unknown
): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    body: `${JSON.stringify({ errors: [{ code, message, ...(detail === undefined ? {} : { detail }) }] })}\n`
  }
}

/** An error page in the format of nginx. */
function page(status: number, title: string): Answer {
  const lines = [
    '<html>',
    `<head><title>${status} ${title}</title></head>`,
    '<body>',
    `<center><h1>${status} ${title}</h1></center>`,
    '<hr><center>nginx</center>',
    '</body>',
    '</html>',
    ''
  ]
  return { status, headers: { 'content-type': 'text/html' }, body: lines.join('\r\n') }
}
