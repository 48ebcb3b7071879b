import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import type { Browser } from 'playwright-core'
import { openBrowser, render, type View } from '../../scripts/picture.ts'

jest.setTimeout(300_000)

const FOLDER = join(import.meta.dirname, '..', '..', 'docs', 'summaries')
const VIEWS: View[] = (['light', 'dark'] as const).flatMap((scheme) => [400, 1_012].map((width) => ({ scheme, width })))

let browser: Browser

beforeAll(async () => {
  browser = await openBrowser()
})
afterAll(() => browser.close())

it.each(VIEWS)('In a browser, $scheme, $width pixels wide, all of every summary is there', async (view) => {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.md'))
  const summaries = names.map((name) => readFileSync(join(FOLDER, name), 'utf8'))
  const { errors, diagrams, overflow, picture } = await render(browser, summaries, view)
  expect({ errors, diagrams, overflow }).toEqual({
    errors: [],
    diagrams: summaries.join('').match(/^```mermaid$/gm)?.length,
    overflow: 0
  })
  expect(picture.length).toBeGreaterThan(100_000)
})

it('A diagram that Mermaid cannot read is noticed', async () => {
  const broken = render(browser, ['```mermaid\ngantt\nnonsense : :\n```'], { scheme: 'light', width: 400 })
  await expect(broken).rejects.toThrow()
})
