// What the files of a commit say of its version: pure code of release.ts and publish-release.ts.

/** The files that name a version, by path; `documents` are all files that people copy from. */
export interface VersionFiles {
  packageJson: string
  packageLock: string
  changelog: string
  documents: Record<string, string>
}

const VERSION = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/

/** The action, its parts and its workflow, as other repositories use them. */
const USE = /\bshared-docker-layers\/shared-docker-layers(?:\/[\w./-]+)?@([\w.-]+)/g

/** Whether a text is a version of a release, without the letter v. */
export function isVersion(text: string): boolean {
  return VERSION.test(text)
}

/** What contradicts that the files are those of a version. */
export function versionFaults(
  version: string,
  { packageJson, packageLock, changelog, documents }: VersionFiles
): string[] {
  const faults: string[] = []
  for (const [path, text] of Object.entries({ 'package.json': packageJson, 'package-lock.json': packageLock })) {
    const { version: stated } = JSON.parse(text) as { version: string }
    if (stated !== version) faults.push(`${path} has the version ${stated}, not ${version}`)
  }
  if (sectionOf(`[${version}]`, changelog) === undefined)
    faults.push(`CHANGELOG.md has no section [${version}] with a date`)
  else if (notesOf(version, changelog) === '') faults.push(`CHANGELOG.md says nothing about ${version}`)
  if (!changelog.includes(`\n[${version}]: `)) faults.push(`CHANGELOG.md has no link for [${version}]`)
  if (entriesIn(sectionOf('[Unreleased]', changelog)) !== '') {
    faults.push(`CHANGELOG.md has entries under Unreleased: move them to ${version}`)
  }
  let exact = 0
  for (const [path, text] of Object.entries(documents)) {
    for (const [use, used] of text.matchAll(USE)) {
      if (used === `v${version}`) exact += 1
      else if (used !== `v${majorOf(version)}`) faults.push(`${path} names ${use}, not v${version}`)
    }
  }
  if (exact === 0) faults.push(`no document names v${version}`)
  return faults
}

/** The notes of a release: the entries of its section of the changelog, with links that work outside the repository; '' without any. */
export function notesOf(version: string, changelog: string, homepage = ''): string {
  const files = `${homepage}/blob/v${version}/`
  return entriesIn(sectionOf(`[${version}]`, changelog)).replaceAll(/\]\((?![a-z]+:|#)/g, `](${files}`)
}

/** A section of the changelog without its heading; undefined if there is none. A version needs a date. */
function sectionOf(name: string, changelog: string): string | undefined {
  const sections = changelog.split(/^## /m).slice(1)
  const heading = name === '[Unreleased]' ? /^$/ : /^ - \d{4}-\d{2}-\d{2}$/
  for (const section of sections) {
    const [first = '', ...rest] = section.split('\n')
    if (first.startsWith(name) && heading.test(first.slice(name.length))) return rest.join('\n')
  }
  return undefined
}

/** The text of a section without the definitions of links, which end the file. */
function entriesIn(section = ''): string {
  return section.replaceAll(/^\[[^\]]+\]: .*$/gm, '').trim()
}

/** Whether no other version is newer, of all or only of those with the same major number. */
export function isNewest(version: string, others: readonly string[], major?: string): boolean {
  return others
    .filter((other) => isVersion(other) && (major === undefined || majorOf(other) === major))
    .every((other) => compare(version, other) >= 0)
}

/** The first number of a version. */
export function majorOf(version: string): string {
  return version.split('.')[0] ?? ''
}

function compare(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number)) as [number[], number[]]
  return left.map((number, index) => number - (right[index] ?? 0)).find((difference) => difference !== 0) ?? 0
}
