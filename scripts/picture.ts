import { execFileSync } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { makePage } from '../demo/page.ts'
import { cacheFolder } from '../testbed/engines.ts'
import { withLock } from '../testbed/lock.ts'
import { installPackages } from '../testbed/packages.ts'

const NAMES = ['google-chrome', 'chromium', 'chromium-browser']

/** A headless Chromium: hosted runners have Chrome, and Debian gets its own package. */
export async function openBrowser(): Promise<Browser> {
  const path = findBrowser() ?? (await installBrowser())
  return chromium.launch({ executablePath: path, args: ['--no-sandbox'] })
}

async function installBrowser(): Promise<string> {
  await mkdir(cacheFolder(), { recursive: true })
  // a test bed may be installing, too
  await withLock(join(cacheFolder(), 'lock'), () =>
    installPackages(['chromium', 'fonts-dejavu-core', 'fonts-noto-color-emoji'])
  )
  const path = findBrowser()
  if (path === undefined) throw new Error('There is no Chromium, and it could not be installed.')
  return path
}

function findBrowser(): string | undefined {
  for (const name of NAMES) {
    try {
      return execFileSync('which', [name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
    } catch {
      // the next one
    }
  }
  return undefined
}

/** How a summary is looked at. */
export interface View {
  scheme: 'light' | 'dark'
  /** Pixels. */
  width: number
}

/** What of a rendered summary does not look as it should. */
export interface Looks {
  picture: Buffer
  /** Texts of Mermaid's error diagrams. */
  errors: string[]
  diagrams: number
  /** Pixels by which something is wider than the page. */
  overflow: number
}

/** Renders summaries as GitHub does, and takes a picture of them. */
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
