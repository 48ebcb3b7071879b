import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { emptyFolder } from './lock.ts'
import { run } from './process.ts'

/** Where apt gets packages: another release of Debian, or this machine's own sources. */
export type Release = 'bookworm' | 'trixie' | 'sid' | 'own'

/**
 * Downloads Debian packages and unpacks them to `target`, without installing them. `target` is either complete or absent.
 * Call it under the lock of the cache. apt gets its own temporary state, but keeps the machine's settings (proxies, mirrors).
 */
export async function unpackPackages(
  cache: string,
  release: Release,
  packages: string[],
  target: string,
  finish: (folder: string) => Promise<void> = async () => undefined,
  architectures: string[] = []
): Promise<void> {
  const work = await emptyFolder(cache)
  try {
    const more = architectures.flatMap((name) => ['-o', `APT::Architectures::=${name}`])
    const apt = [...(await privateApt(join(work, 'apt'), release, more)), ...more]
    const downloads = join(work, 'packages')
    const root = join(work, 'root')
    await Promise.all([mkdir(downloads), mkdir(root)])
    await run('apt-get', [...apt, 'download', ...packages], { cwd: downloads })
    for (const file of await readdir(downloads)) await run('dpkg-deb', ['-x', join(downloads, file), root])
    await finish(root)
    await mkdir(join(target, '..'), { recursive: true })
    await rename(root, target)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function privateApt(state: string, release: Release, more: string[]): Promise<string[]> {
  await mkdir(join(state, 'lists', 'partial'), { recursive: true })
  await mkdir(join(state, 'archives', 'partial'), { recursive: true })
  const options = ['-o', `Dir::State::lists=${state}/lists`, '-o', `Dir::Cache=${state}`]
  // The cache folder may be below /root, where the user _apt cannot write.
  options.push('-o', 'APT::Sandbox::User=root', '-o', 'Acquire::Languages=none', '-o', 'Acquire::Retries=3')
  if (release !== 'own') {
    const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'
    await writeFile(join(state, 'sources.list'), `deb [signed-by=${keyring}] ${await archive()} ${release} main\n`)
    options.push('-o', `Dir::Etc::sourcelist=${state}/sources.list`, '-o', 'Dir::Etc::sourceparts=/dev/null')
  }
  await run('apt-get', [...options, ...more, 'update'])
  return options
}

/** The archive of this machine's own Debian release, which also has the other releases. */
async function archive(): Promise<string> {
  const format = ['--format', '$(RELEASE) $(REPO_URI)', 'Created-By: Packages']
  const { stdout } = await run('apt-get', ['indextargets', ...format])
  const uri = /^bookworm (\S+)$/m.exec(stdout)?.[1]
  if (uri === undefined) throw new Error("The test bed needs the archive of Debian 12 among apt's sources.")
  return uri
}

/** Installs the missing ones of these packages from the machine's own release. */
export async function installPackages(packages: string[]): Promise<void> {
  const { stdout } = await run('dpkg-query', ['--list', ...packages], { allowFailure: true })
  // One line per package, such as `ii  iproute2  6.1.0-3  amd64  …`; the name may carry `:amd64`.
  const installed = new Set([...stdout.matchAll(/^ii\s+([^\s:]+)/gm)].map((match) => match[1]))
  const missing = packages.filter((name) => !installed.has(name))
  if (missing.length === 0) return
  const env = { PATH: process.env.PATH ?? '', HOME: '/root', DEBIAN_FRONTEND: 'noninteractive' }
  await run('apt-get', ['update'], { env })
  await run('apt-get', ['install', '-y', '--no-install-recommends', ...missing], { env })
}
