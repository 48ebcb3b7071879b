/** Answers a request with `message`; the status is `status`. */
export class HttpError extends Error {
  constructor(status, message) {
    super(message)
    this.status = status
  }
}

/**
 * A request listener for node:http. `routes` maps a path to a function that takes the URL and the request headers and
 * returns `{ status, headers, body }`, of which the first two may be left out. It may throw an HttpError.
 */
export function router(routes) {
  return (request, response) => {
    const { status = 200, headers = {}, body } = answer(routes, request)
    response.writeHead(status, headers).end(request.method === 'HEAD' ? undefined : body)
  }
}

/** An answer whose body is `value` as JSON. */
export function json(value, status = 200) {
  return { status, headers: { 'content-type': 'application/json' }, body: `${JSON.stringify(value)}\n` }
}

function answer(routes, request) {
  try {
    if (!['GET', 'HEAD'].includes(request.method)) throw new HttpError(405, `There is no ${request.method} here.`)
    const url = new URL(request.url, 'http://localhost')
    if (!Object.hasOwn(routes, url.pathname)) throw new HttpError(404, `There is nothing at ${url.pathname}.`)
    return routes[url.pathname](url, request.headers)
  } catch (error) {
    if (error instanceof HttpError) return json({ error: error.message }, error.status)
    console.error(error)
    return json({ error: 'Something went wrong.' }, 500)
  }
}
