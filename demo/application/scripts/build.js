// Makes dist/: the modules as they are, and the page as one minified file with its style sheet inside, also compressed.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { constants, gzipSync } from 'node:zlib'

rmSync('dist', { recursive: true, force: true })
cpSync('src', 'dist', { recursive: true })
mkdirSync('dist/public')

const style = minifyStyle(readFileSync('public/style.css', 'utf8'))
const link = '<link rel="stylesheet" href="style.css" />'
const source = readFileSync('public/index.html', 'utf8')
if (!source.includes(link)) throw new Error(`public/index.html has no ${link}`)
const page = minifyPage(source).replace(link, () => `<style>${style}</style>`)
const compressed = gzipSync(page, { level: constants.Z_BEST_COMPRESSION })
writeFileSync('dist/public/index.html', page)
writeFileSync('dist/public/index.html.gz', compressed)
console.log(`dist/public/index.html: ${source.length} → ${page.length} bytes, ${compressed.length} compressed`)

function minifyStyle(css) {
  return css
    .replaceAll(/\/\*.*?\*\//gs, '')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ ?([{};,]) ?/g, '$1')
    .replaceAll(': ', ':')
    .replaceAll(';}', '}')
    .trim()
}

function minifyPage(html) {
  return html
    .replaceAll(/<!--.*?-->/gs, '')
    .replaceAll(/\s+/g, ' ')
    .replaceAll('> <', '><')
    .trim()
}
