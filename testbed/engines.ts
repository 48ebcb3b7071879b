import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { chmod, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { withLock } from './lock.ts'
import { installPackages, type Release, unpackPackages } from './packages.ts'
import { systemPath } from './process.ts'

export type EngineVersion = '20.10' | '26.1' | '28.5' | 'host'
export type Store = 'overlay2' | 'containerd'

export interface EngineSpec {
  version: EngineVersion
  store: Store
}

/** Paths to the parts of an engine. */
export interface EngineFiles {
  /** PATH for the docker client: this engine's docker comes first. */
  clientPath: string
  /** PATH for the daemon: its containerd, runc, iptables, docker-init, docker-proxy. */
  daemonPath: string
  /** Path of the buildx plugin; undefined if there is none or the client finds it by itself. */
  buildx: string | undefined
}

interface EnginePackages {
  release: Release
  packages: string[]
}

// Docker's version is pinned: if the release gets a later version, the download fails instead of testing another engine.
const enginePackages: Record<Exclude<EngineVersion, 'host'>, EnginePackages> = {
  '20.10': { release: 'own', packages: ['docker.io=20.10*', 'containerd'] },
  '26.1': { release: 'trixie', packages: ['docker.io=26.1*', 'docker-cli=26.1*', 'docker-buildx', 'containerd'] },
  '28.5': { release: 'sid', packages: ['docker.io=28.5*', 'docker-cli=28.5*', 'docker-buildx', 'containerd'] }
}

// docker-registry and busybox-static serve the registry and the base images. The other tools are for dockerd.
const commonTools = ['docker-registry', 'busybox-static']
// Hosted runners have pigz (actions/runner-images images/ubuntu/toolsets), and engines use it to unpack layers if it exists.
const daemonTools = [
  'runc',
  'tini',
  'pigz',
  'iptables',
  'libip4tc2',
  'libip6tc2',
  'libxtables12',
  'libnftnl11',
  'libmnl0'
]
const daemonToolLibraries = ['libnetfilter-conntrack3', 'libnfnetlink0', 'libseccomp2']

// iproute2 has ip and tc. Debian's dockerd is linked with libdevmapper and libsystemd.
const installed = ['iproute2', 'libdevmapper1.02.1', 'libsystemd0']

const toolLinks = {
  busybox: 'usr/bin/busybox',
  'docker-registry': 'usr/bin/docker-registry',
  'docker-init': 'usr/bin/tini-static',
  runc: 'usr/sbin/runc',
  pigz: 'usr/bin/pigz',
  unpigz: 'usr/bin/unpigz'
}

/** The folder that keeps engines and base images between runs. */
export function cacheFolder(): string {
  const userCache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  return process.env.SDL_TESTBED_CACHE || join(userCache, 'shared-docker-layers-testbed')
}

/** The engines that this machine can run, the newest last. */
export function availableEngines(): EngineSpec[] {
  if (isDebian12()) {
    return [
      { version: '20.10', store: 'overlay2' },
      { version: '26.1', store: 'overlay2' },
      { version: '26.1', store: 'containerd' },
      { version: '28.5', store: 'overlay2' },
      { version: '28.5', store: 'containerd' }
    ]
  }
  if (hasRecentDockerd()) {
    return [
      { version: 'host', store: 'overlay2' },
      { version: 'host', store: 'containerd' }
    ]
  }
  return []
}

/** @throws Error with one sentence that explains why this machine cannot run a test bed */
export function checkMachine(): void {
  if (process.platform !== 'linux') throw new Error(`The test bed needs Linux, not ${process.platform}.`)
  if (process.getuid?.() !== 0) throw new Error('The test bed needs root: it makes network namespaces and engines.')
  if (availableEngines().length === 0) {
    throw new Error('The test bed needs Debian 12, or dockerd 23 or later and apt-get on PATH.')
  }
}

function isDebian12(): boolean {
  return (
    existsSync('/etc/os-release') &&
    /^PRETTY_NAME="Debian GNU\/Linux 12\b/m.test(readFileSync('/etc/os-release', 'utf8'))
  )
}

function hasRecentDockerd(): boolean {
  const dockerd = findOnPath('dockerd')
  if (!dockerd || !findOnPath('docker') || !findOnPath('apt-get')) return false
  const version = execFileSync(dockerd, ['--version'], { encoding: 'utf8' }).match(/version (\d+)\./)
  // From Docker 23 on, `features` in daemon.json selects the image store.
  return Number(version?.[1]) >= 23
}

function findOnPath(command: string): string | undefined {
  const folders = `${process.env.PATH ?? ''}${delimiter}${systemPath}`.split(delimiter)
  return folders.map((folder) => join(folder, command)).find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Returns the folder with programs from the machine's own release; downloads them if they are missing. */
export async function ensureTools(): Promise<string> {
  const packages = isDebian12() ? [...commonTools, ...daemonTools, ...daemonToolLibraries] : commonTools
  const hash = createHash('sha256')
    .update(JSON.stringify([packages, toolLinks]))
    .digest('hex')
    .slice(0, 8)
  const target = join(cacheFolder(), `tools-${hash}`)
  await once(target, async () => {
    await installPackages(isDebian12() ? installed : ['iproute2'])
    await unpackPackages(cacheFolder(), 'own', packages, target, makeCommands)
  })
  return join(target, 'bin')
}

/** Returns the files of an engine; downloads them if they are missing. */
export async function ensureEngine(version: EngineVersion): Promise<EngineFiles> {
  const tools = await ensureTools()
  if (version === 'host') {
    const folders = [findOnPath('docker'), findOnPath('dockerd')].map((file) => dirname(file ?? '/usr/bin'))
    const path = [...new Set(folders), systemPath].join(':')
    return { clientPath: path, daemonPath: path, buildx: undefined }
  }
  const target = join(cacheFolder(), 'engines', version)
  const { release, packages } = enginePackages[version]
  await once(target, () => unpackPackages(cacheFolder(), release, packages, target))
  const buildx = join(target, 'usr/libexec/docker/cli-plugins/docker-buildx')
  return {
    clientPath: `${target}/usr/bin:${systemPath}`,
    daemonPath: `${target}/usr/sbin:${target}/usr/bin:${tools}:${systemPath}`,
    buildx: existsSync(buildx) ? buildx : undefined
  }
}

/** Returns the path of the plugin docker compose, and downloads it if it is missing; undefined if the client finds it by itself. */
export async function ensureCompose(): Promise<string | undefined> {
  if (!isDebian12()) return undefined
  const target = join(cacheFolder(), 'compose')
  await once(target, () => unpackPackages(cacheFolder(), 'trixie', ['docker-compose=2*'], target))
  return join(target, 'usr/libexec/docker/cli-plugins/docker-compose')
}

/** Returns the path of a static busybox for linux/386, which this machine also runs, and downloads it if it is missing. */
export async function ensureBusybox386(): Promise<string> {
  const target = join(cacheFolder(), 'busybox-386')
  const finish = async (): Promise<void> => undefined
  await once(target, () => unpackPackages(cacheFolder(), 'bookworm', ['busybox-static:i386'], target, finish, ['i386']))
  const [first = ''] = ['bin/busybox', 'usr/bin/busybox'].filter((file) => existsSync(join(target, file)))
  return join(target, first)
}

async function once(target: string, make: () => Promise<void>): Promise<void> {
  if (existsSync(target)) return
  await mkdir(cacheFolder(), { recursive: true })
  await withLock(join(cacheFolder(), 'lock'), async () => {
    if (!existsSync(target)) await make()
  })
}

/** Links the commands of the unpacked tools into one folder `bin`, under their usual names. */
async function makeCommands(root: string): Promise<void> {
  const bin = join(root, 'bin')
  // In Debian 12 busybox is in bin, in later releases in usr/bin.
  await mkdir(bin, { recursive: true })
  for (const [name, file] of Object.entries(toolLinks)) {
    if (existsSync(join(root, file))) await symlink(join('..', file), join(bin, name))
  }
  if (!existsSync(join(root, 'usr/sbin/xtables-nft-multi'))) return
  const libraries = (await readdir(join(root, 'usr/lib'))).find((name) => name.includes('-linux-gnu')) ?? ''
  for (const name of [
    'iptables',
    'ip6tables',
    'iptables-save',
    'ip6tables-save',
    'iptables-restore',
    'ip6tables-restore'
  ]) {
    // The unpacked iptables finds its libraries and extensions only through these variables.
    const script = [
      '#!/bin/sh',
      `root="\${0%/*}/.."`,
      `export LD_LIBRARY_PATH="$root/usr/lib/${libraries}" XTABLES_LIBDIR="$root/usr/lib/${libraries}/xtables"`,
      `exec "$root/usr/sbin/xtables-nft-multi" ${name} "$@"`
    ]
    await writeFile(join(bin, name), `${script.join('\n')}\n`)
    await chmod(join(bin, name), 0o755)
  }
}
