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
  if (!['GET', 'HEAD'].includes(request.method)) return json({ error: `There is no ${request.method} here.` }, 405)
  const url = new URL(request.url, 'http://localhost')
  const route = Object.hasOwn(routes, url.pathname) ? routes[url.pathname] : undefined
  if (!route) return json({ error: `There is nothing at ${url.pathname}.` }, 404)
  try {
    return route(url, request.headers)
  } catch (error) {
    if (error instanceof HttpError) return json({ error: error.message }, error.status)
    throw error
  }
}
