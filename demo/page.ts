import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { micromark } from 'micromark'
import { gfm, gfmHtml } from 'micromark-extension-gfm'

const require = createRequire(import.meta.url)

/** Job summaries as one page that needs nothing from the internet, as GitHub shows them: Markdown of its flavour, and Mermaid. */
export function makePage(title: string, summaries: readonly string[]): string {
  const articles = summaries.map((summary) => {
    // raw HTML is none of what a summary of ours has: shown, it would be seen
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
