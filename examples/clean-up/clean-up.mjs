/**
 * Deletes old images of Shared Docker Layers from GitHub Container Registry; docs/registry.md explains the rules.
 *
 * A package version of this registry is a digest with all of its tags: to delete the version is to delete every one of these
 * tags. So the script deletes a version only if all of its tags are temporary. A tag of any other form keeps its version:
 * `latest`, `builder`, `builder-stage-NAME`, a release. It never deletes untagged versions: they may be parts of an image of several
 * platforms.
 *
 * Environment: GITHUB_TOKEN, PACKAGE (`app` of ghcr.io/octo/app), DAYS (default 30), DRY_RUN (`false` deletes; default `true`),
 * COMMIT_TAG (the input `commit-tag` of the action; default `{short}`).
 */

/** Cache tags, tested tags, and the tags by which a build on another runner is tested. */
const TEMPORARY = /^(cache-[0-9a-f]{16}|tested-[0-9a-f]{16}|builder-[0-9a-f]{7}(-stage-.+)?)$/
/** What a template of commit tags has in place of the commit. */
const DIGITS = { '{short}': '[0-9a-f]{7}', '{sha}': '([0-9a-f]{40}|[0-9a-f]{64})' }
/** The tag of a pull request, which is temporary once the pull request is closed. */
const PULL_REQUEST = /^pr-([0-9]+)$/

const { GITHUB_API_URL: api = 'https://api.github.com', GITHUB_REPOSITORY: repository = '', GITHUB_TOKEN } = process.env
const {
  PACKAGE: name = '',
  DAYS: days = '30',
  DRY_RUN: dryRun = 'true',
  COMMIT_TAG: template = '{short}'
} = process.env

/** Sends a request to GitHub's API. */
async function send(method, url) {
  return fetch(url, {
    method,
    headers: { accept: 'application/vnd.github+json', authorization: `Bearer ${GITHUB_TOKEN}` },
    signal: AbortSignal.timeout(60_000)
  })
}

async function describe(response) {
  const text = await response.text()
  return `${response.status}: ${/"message": *"([^"]*)"/.exec(text)?.[1] ?? 'no message'}`
}

async function read(url) {
  const response = await send('GET', url)
  if (!response.ok) throw new Error(`GET ${url} answered ${await describe(response)}`)
  return { value: await response.json(), next: /<([^>]+)>; rel="next"/.exec(response.headers.get('link') ?? '')?.[1] }
}

/** Reads all pages of a list. */
async function readAll(url) {
  const items = []
  for (let page = url; page !== undefined; ) {
    const { value, next } = await read(page)
    items.push(...value)
    page = next
  }
  return items
}

function tagsOf({ metadata }) {
  return metadata?.container?.tags ?? []
}

/** Returns what all commit tags match. */
function commitTags() {
  const [, before, place, after] = /^([\w.-]*)(\{short\}|\{sha\})([\w.-]*)$/.exec(template) ?? []
  if (place === undefined) {
    throw new Error(
      `COMMIT_TAG is ${JSON.stringify(template)}; set it to the input commit-tag of the action, such as sha-{short}`
    )
  }
  const [prefix, suffix] = [before, after].map((text) => text.replaceAll('.', '\\.'))
  return new RegExp(`^${prefix}${DIGITS[place]}${suffix}$`)
}

/** Returns whether a version is older than the limit and has only temporary tags. */
function isUnneeded(version, openPullRequests, ofCommit) {
  const age = Date.now() - Math.max(Date.parse(version.created_at), Date.parse(version.updated_at))
  const tags = tagsOf(version)
  const isTemporary = (tag) => {
    const [, number] = PULL_REQUEST.exec(tag) ?? []
    return number === undefined ? TEMPORARY.test(tag) || ofCommit.test(tag) : !openPullRequests.has(number)
  }
  return age > Number(days) * 24 * 60 * 60 * 1000 && tags.length > 0 && tags.every(isTemporary)
}

async function cleanUp() {
  if (!name) throw new Error('PACKAGE is empty; set it to the name of the package: app for ghcr.io/octo/app')
  if (!/^[1-9][0-9]*$/.test(days)) throw new Error(`DAYS is ${JSON.stringify(days)}; set it to a number of days from 1`)
  const ofCommit = commitTags()
  const [owner] = repository.split('/')
  const { value: account } = await read(`${api}/users/${owner}`)
  const kind = account.type === 'Organization' ? 'orgs' : 'users'
  const versionsUrl = `${api}/${kind}/${owner}/packages/container/${encodeURIComponent(name)}/versions`
  const pulls = await readAll(`${api}/repos/${repository}/pulls?state=open&per_page=100`)
  const open = new Set(pulls.map(({ number }) => String(number)))
  // all pages first: a deletion would move the others
  const versions = await readAll(`${versionsUrl}?per_page=100`)

  let deleted = 0
  for (const { id } of versions.filter((version) => isUnneeded(version, open, ofCommit))) {
    const url = `${versionsUrl}/${id}`
    // a run may have given the image a further tag meanwhile
    const { value: version } = await read(url)
    if (!isUnneeded(version, open, ofCommit)) continue
    const what = `${version.name} (${tagsOf(version).join(', ')})`
    if (dryRun !== 'false') {
      console.log(`Would delete ${what}`)
      continue
    }
    const response = await send('DELETE', url)
    if (response.ok) {
      deleted += 1
      console.log(`Deleted ${what}`)
    } else if (response.status === 400) {
      // the last tagged version of a package, and a public version with more than 5,000 downloads
      console.log(`::warning::GitHub keeps ${what}, ${await describe(response)}`)
    } else if (response.status !== 404) {
      throw new Error(`DELETE ${url} answered ${await describe(response)}`)
    }
  }
  console.log(`${deleted} of ${versions.length} versions deleted`)
}

await cleanUp().catch((error) => {
  console.log(`::error::${error.message}`)
  process.exitCode = 1
})
