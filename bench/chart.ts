import type { Results } from './results.ts'

const WIDTH = 760
const LABELS = 290
const ROW = 26
const HEAD = 34

/** Draws one bar for each store and method: the total seconds of all commits. */
export function drawChart({ stores, linkMbit }: Results): string {
  const longest = Math.max(...stores.flatMap(({ methods }) => methods.map(({ seconds }) => seconds)))
  const scale = (WIDTH - LABELS - 70) / longest
  const parts: string[] = []
  let y = 0
  for (const { store, docker, methods } of stores) {
    const commits = methods[0]?.commits.length ?? 0
    const title = `Seconds for ${commits} commits: Docker ${docker}, ${store} store, ${linkMbit / 1_000} Gbit/s`
    parts.push(`<text class="head" x="0" y="${y + 20}">${escaped(title)}</text>`)
    y += HEAD
    for (const { key, title: name, seconds } of methods) {
      const width = Math.max(1, Math.round(seconds * scale))
      parts.push(
        `<text x="${LABELS - 10}" y="${y + 16}" text-anchor="end">${escaped(name)}</text>`,
        `<rect class="${key === 'action' ? 'ours' : 'other'}" x="${LABELS}" y="${y + 3}" width="${width}" height="${ROW - 8}" rx="2"/>`,
        `<text x="${LABELS + width + 8}" y="${y + 16}">${Math.round(seconds)} s</text>`
      )
      y += ROW
    }
    y += 12
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" role="img" aria-label="Seconds for all commits, by method">
<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.head { font-weight: 600 }
.ours { fill: #1a7f37 }
.other { fill: #8c959f }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .ours { fill: #3fb950 } .other { fill: #6e7681 } }
</style>
${parts.join('\n')}
</svg>
`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
