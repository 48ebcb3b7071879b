// What a Markdown file contains, as GitHub reads it: headings and their anchors, links, fenced blocks.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** A Markdown file of this repository; its path is relative to the root. */
export interface Page {
  path: string
  text: string
}

export interface Fence {
  language: string
  text: string
}

export function readPage(path: string): Page {
  return { path, text: readFileSync(join(root, path), 'utf8') }
}

/** The Markdown files of some folders, without those of their subfolders. */
export function pagesIn(...folders: string[]): Page[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => readPage(join(folder, name)))
  )
}

export function fencesOf({ text }: Pick<Page, 'text'>): Fence[] {
  const fences = text.matchAll(/^```(\w*)\n(.*?)^```$/gms)
  return [...fences].map(([, language = '', inner = '']) => ({ language, text: inner }))
}

/** The text outside of fenced blocks. */
function prose({ text }: Pick<Page, 'text'>): string {
  return text.replaceAll(/^```\w*\n.*?^```$/gms, '')
}

/** The headings of a page, with their number of signs. */
export function headingsOf(page: Pick<Page, 'text'>): { level: number; text: string }[] {
  const headings = prose(page).matchAll(/^(#+) (.+)$/gm)
  return [...headings].map(([, signs = '', text = '']) => ({ level: signs.length, text }))
}

/** The anchor that GitHub gives to a heading, unless an earlier one has the same (gjtorikian/html-pipeline, toc_filter). */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-')
}

function anchorsOf(page: Pick<Page, 'text'>): Set<string> {
  const anchors = new Set<string>()
  for (const { text } of headingsOf(page)) {
    const anchor = anchorOf(text)
    let count = 0
    while (anchors.has(count === 0 ? anchor : `${anchor}-${count}`)) count += 1
    anchors.add(count === 0 ? anchor : `${anchor}-${count}`)
  }
  return anchors
}

/** The targets of all links and pictures. */
function targetsOf(page: Pick<Page, 'text'>): string[] {
  const text = prose(page).replaceAll(/`[^`\n]*`/g, '')
  const targets = text.matchAll(/\]\(([^()\s]+)\)|\b(?:src|srcset|href)="([^"]+)"/g)
  return [...targets].map(([, link, source]) => link ?? source ?? '')
}

/** Links of a page to files or headings that do not exist. */
export function brokenLinks({ path, text }: Page): string[] {
  return targetsOf({ text }).filter((target) => {
    if (/^(https?|mailto):/.test(target)) return false
    const [file = '', anchor] = target.split('#')
    const full = file === '' ? join(root, path) : join(root, dirname(path), file)
    if (!existsSync(full) || relative(root, full).startsWith('..')) return true
    if (anchor === undefined) return false
    const own = file === '' ? text : statSync(full).isFile() ? readFileSync(full, 'utf8') : ''
    return !full.endsWith('.md') || !anchorsOf({ text: own }).has(anchor)
  })
}

/** The rows of each table of a text, without their heads; a row is its cells. */
export function tablesOf(text: string): string[][][] {
  const tables = prose({ text }).match(/(^\|.*\n)+/gm) ?? []
  return tables.map((table) =>
    table
      .trim()
      .split('\n')
      .slice(2)
      .map((row) => row.replaceAll(/^\| *| *\|$/g, '').split(/ *\| */))
  )
}

/** The part of a page below a heading, up to the next heading of that level. */
export function sectionOf({ text }: Pick<Page, 'text'>, heading: string): string {
  const [, rest = ''] = text.split(`\n## ${heading}\n`)
  return rest.split(/^## /m)[0] ?? ''
}
