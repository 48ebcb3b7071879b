import { execFileSync } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { makePage } from '../demo/page.ts'
import { cacheFolder } from '../testbed/engines.ts'
import { withLock } from '../testbed/lock.ts'
import { installPackages } from '../testbed/packages.ts'

const NAMES = ['google-chrome', 'chromium', 'chromium-browser']

/** Starts a headless Chromium. Hosted runners have Chrome; on Debian, the package chromium is installed. */
export async function openBrowser(): Promise<Browser> {
  const path = findBrowser() ?? (await installBrowser())
  return chromium.launch({ executablePath: path, args: ['--no-sandbox'] })
}

async function installBrowser(): Promise<string> {
  await mkdir(cacheFolder(), { recursive: true })
  // a test bed may be installing packages at the same time
  await withLock(join(cacheFolder(), 'lock'), () =>
    installPackages(['chromium', 'fonts-dejavu-core', 'fonts-noto-color-emoji'])
  )
  const path = findBrowser()
  if (path === undefined) throw new Error('Chromium is missing, and its installation failed.')
  return path
}

function findBrowser(): string | undefined {
  for (const name of NAMES) {
    try {
      return execFileSync('which', [name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
    } catch {
      // try the next name
    }
  }
  return undefined
}

/** How a browser shows a summary. */
export interface View {
  scheme: 'light' | 'dark'
  /** In pixels. */
  width: number
}

/** The looks of a rendered summary: its picture, and faults in it. */
export interface Looks {
  picture: Buffer
  /** Messages of Mermaid's error diagrams. */
  errors: string[]
  diagrams: number
  /** Pixels by which the content is wider than the page. */
  overflow: number
}

/** Renders summaries as GitHub does, and takes a screenshot. */
export async function render(browser: Browser, summaries: readonly string[], { scheme, width }: View): Promise<Looks> {
  const page = await browser.newPage({ colorScheme: scheme, viewport: { width, height: 800 } })
  try {
    await page.setContent(makePage('Summary', summaries))
    await page.waitForSelector('body[data-rendered]', { state: 'attached', timeout: 15_000 })
    const looks = await page.evaluate<Omit<Looks, 'picture'>>(`({
      errors: [...document.querySelectorAll('.error-text')].map((element) => element.textContent),
      diagrams: document.querySelectorAll('.mermaid svg').length,
      overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth
    })`)
    return { ...looks, picture: await page.screenshot({ fullPage: true }) }
  } finally {
    await page.close()
  }
}
