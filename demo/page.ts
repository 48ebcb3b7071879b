import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { micromark } from 'micromark'
import { gfm, gfmHtml } from 'micromark-extension-gfm'

const require = createRequire(import.meta.url)

/** Renders job summaries as GitHub does (its Markdown and Mermaid), on one page that loads nothing from the internet. */
export function makePage(title: string, summaries: readonly string[]): string {
  const articles = summaries.map((summary) => {
    // the action's summaries contain no raw HTML: micromark escapes it, so that any would be visible
    const html = micromark(summary, { extensions: [gfm()], htmlExtensions: [gfmHtml()] })
    return `<article class="markdown-body">${html}</article>`
  })
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>${readFileSync(require.resolve('github-markdown-css/github-markdown.css'), 'utf8')}
body { margin: 0; background: Canvas; color-scheme: light dark }
article { box-sizing: border-box; max-width: 1012px; margin: 0 auto; padding: 24px }
article + article { border-top: 1px solid #8888 }
.mermaid { background: none !important; text-align: center }
</style>
${articles.join('\n')}
<script>${readFileSync(require.resolve('@mermaid-js/tiny'), 'utf8').replaceAll('</script', '<\\/script')}</script>
<script>
for (const code of document.querySelectorAll('code.language-mermaid')) {
  const diagram = document.createElement('pre')
  diagram.className = 'mermaid'
  diagram.textContent = code.textContent
  code.parentElement.replaceWith(diagram)
}
const theme = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'default'
mermaid.initialize({ startOnLoad: false, securityLevel: 'strict', theme })
mermaid.run().then(() => { document.body.dataset.rendered = 'true' })
</script>
</html>
`
}
