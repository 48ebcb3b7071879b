import { createServer } from 'node:http'
import { transformSync } from '@babel/core'
import ts from 'typescript'
import { modules } from './modules/index.js'
import { version } from './version.js'

/** Milliseconds for which an answer is remembered. */
const REMEMBERED = 3_000

const answers = new Map<string, { text: string; until: number }>()

function transpile(snippet: string): string {
  const known = answers.get(snippet)
  if (known && known.until > Date.now()) return known.text
  const script = ts.transpile(snippet, { target: ts.ScriptTarget.ES2023 })
  const text =
    transformSync(script, {
      compact: true,
      configFile: false,
      babelrc: false,
      presets: [['@babel/preset-env', { targets: 'defaults' }]]
    })?.code ?? ''
  answers.set(snippet, { text, until: Date.now() + REMEMBERED })
  return text
}

const server = createServer((request, response) => {
  if (request.url === '/version') {
    response.end(JSON.stringify({ version, modules: modules.length, remembered: answers.size }))
    return
  }
  let body = ''
  request.setEncoding('utf8').on('data', (text: string) => {
    body += text
  })
  request.on('end', () => response.end(transpile(body)))
})

if (process.argv.includes('--version')) console.log(version)
else server.listen(Number(process.env.PORT ?? 8080))
