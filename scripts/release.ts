// `npm run release -- X.Y.Z`: checks that the commit is ready to be version X.Y.Z, and tags it. Nothing leaves this machine without
// --push. --dry-run only checks. --tagged checks a commit that has the tag already, as the workflow release.yml does.
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { type Git, git, HOMEPAGE, ROOT, readFiles, remoteRefs } from './repository.ts'
import { isVersion, notesOf, versionFaults } from './versions.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'dry-run': { type: 'boolean' }, push: { type: 'boolean' }, tagged: { type: 'boolean' } }
})
const [version = '', ...others] = positionals
if (!isVersion(version) || others.length > 0 || (values['dry-run'] && values.push)) {
  console.error('Usage: npm run release -- X.Y.Z [--dry-run | --push] [--tagged]')
  process.exit(2)
}

const tag = `v${version}`
const head = git('rev-parse', 'HEAD').output
const files = readFiles()
const faults = [...treeFaults(), ...(values.tagged ? taggedFaults() : newTagFaults()), ...versionFaults(version, files)]
// takes seconds, so only if all else is right
if (faults.length === 0 && spawnSync('node', ['scripts/check-dist.ts'], { cwd: ROOT, stdio: 'inherit' }).status !== 0) {
  faults.push('dist is not a build of src: run `npm run build`, and commit dist')
}
if (faults.length > 0) {
  for (const fault of faults) console.error(`Not ready for ${tag}: ${fault}`)
  process.exit(1)
}

console.log(`${notesOf(version, files.changelog, HOMEPAGE)}\n`)
if (values.tagged) console.log(`Commit ${head} is ${tag}.`)
else if (values['dry-run'])
  console.log(`Commit ${head} is ready to be ${tag}. Without --dry-run, this command tags it.`)
else tagHead()

/** Tags the commit, and pushes the tag if that was asked for. */
function tagHead(): void {
  expectSuccess(git('tag', '--annotate', tag, '--message', tag))
  if (values.push) expectSuccess(git('push', '--quiet', 'origin', `refs/tags/${tag}`))
  console.log(
    values.push
      ? `Pushed ${tag}: the workflow "Release" publishes it.`
      : `Tagged commit ${head} as ${tag}. Push it with \`git push origin ${tag}\`: the workflow "Release" then publishes it.`
  )
}

function treeFaults(): string[] {
  const changed = git('status', '--porcelain').output
  return changed === '' ? [] : [`the work tree has changes:\n${changed}`]
}

/** A tag never changes its commit, and nobody has tested a commit that no branch of origin has. */
function newTagFaults(): string[] {
  const refs = remoteRefs()
  const exists = git('rev-parse', '--quiet', '--verify', `refs/tags/${tag}`).ok || refs.has(`refs/tags/${tag}`)
  const isPushed = [...refs].some(([name, sha]) => name.startsWith('refs/heads/') && sha === head)
  return [
    ...(exists ? [`the tag ${tag} exists`] : []),
    ...(isPushed ? [] : [`commit ${head} is not the newest one of a branch of origin: push it, and wait for CI`])
  ]
}

function taggedFaults(): string[] {
  const of = git('rev-parse', '--quiet', '--verify', `refs/tags/${tag}^{commit}`).output
  return of === head ? [] : [`the tag ${tag} is at ${of || 'no commit'}, and the checkout at ${head}`]
}

function expectSuccess({ ok, error }: Git): void {
  if (ok) return
  console.error(error)
  process.exit(1)
}
