// `node scripts/publish-release.ts X.Y.Z`: the workflow release.yml publishes the pushed tag vX.Y.Z as an immutable release, and sets
// the tag vX to its commit. A second run does what is missing. It needs git and gh with a token that may write contents.
import { git, HOMEPAGE, readFiles, remoteRefs, run } from './repository.ts'
import { isNewest, isVersion, majorOf, notesOf } from './versions.ts'

const [version = ''] = process.argv.slice(2)
if (!isVersion(version)) fail('Usage: node scripts/publish-release.ts X.Y.Z')

const tag = `v${version}`
const major = `v${majorOf(version)}`
const head = git('rev-parse', 'HEAD').output
const refs = remoteRefs()
if (refs.get(`refs/tags/${tag}`) !== head)
  fail(`The tag ${tag} of origin is not at the commit of the checkout, ${head}`)
const versions = [...refs.keys()].map((name) => name.replace(/^refs\/tags\/v/, ''))

if (!run('gh', ['release', 'view', tag]).ok) {
  const notes = notesOf(version, readFiles().changelog, HOMEPAGE)
  if (notes === '') fail(`CHANGELOG.md says nothing about ${version}`)
  const options = ['--verify-tag', '--title', tag, `--latest=${isNewest(version, versions)}`, '--notes-file', '-']
  const { ok, error } = run('gh', ['release', 'create', tag, ...options], notes)
  if (!ok) fail(`gh cannot create the release: ${error}`)
  console.log(`Published the release ${tag}.`)
}
const { output } = run('gh', ['release', 'view', tag, '--json', 'isImmutable', '--jq', '.isImmutable'])
if (output !== 'true') {
  fail(
    `The release ${tag} is not immutable: enable release immutability in the settings, delete the release, and re-run the job`
  )
}

// vX has no release of its own: the tag of an immutable release cannot move
if (!isNewest(version, versions, majorOf(version))) console.log(`${major} stays: a newer version has it.`)
else if (refs.get(`refs/tags/${major}`) === head) console.log(`${major} is at ${head} already.`)
else {
  const { ok, error } = git('push', '--quiet', '--force', 'origin', `${head}:refs/tags/${major}`)
  if (!ok) fail(`git cannot move ${major}: ${error}`)
  console.log(`Moved ${major} to ${head}.`)
}

function fail(message: string): never {
  console.error(message)
  process.exit(1)
}
