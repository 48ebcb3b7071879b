import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { app } from './app.js'

const page = new URL('public/', import.meta.url)
const server = createServer(
  app({ plain: readFileSync(new URL('index.html', page)), compressed: readFileSync(new URL('index.html.gz', page)) })
)

server.listen(Number(process.env.PORT ?? 8080), () => {
  console.log(`Listening on port ${server.address().port}`)
})

// a container's first process gets no default handlers, and docker stop would wait ten seconds
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    server.close()
    server.closeAllConnections()
  })
}
