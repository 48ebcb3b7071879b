import { existsSync } from 'node:fs'
import { chmod, copyFile, cp, mkdir, readFile, realpath, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import type { TestBed } from './bed.ts'
import { cacheFolder, ensureTools } from './engines.ts'
import { cachedLayer, type Layer, pushImage } from './image.ts'
import { withLock } from './lock.ts'
import { run, systemPath } from './process.ts'

export interface BaseImages {
  busybox: string
  node: string
}

const repositories = { busybox: 'base/busybox', node: 'base/node' }
const tags = { busybox: '1', node: '24' }

// The agents have no internet: npm must not request advisories, funding or its own next version.
const nodeEnv = ['NPM_CONFIG_AUDIT=false', 'NPM_CONFIG_FUND=false', 'NPM_CONFIG_UPDATE_NOTIFIER=false']

/** Builds the base images of the tests from files of this machine, and pushes them; returns their references. */
export async function pushBaseImages(
  bed: TestBed,
  which: (keyof BaseImages)[] = ['busybox', 'node']
): Promise<BaseImages> {
  const env = [`PATH=${systemPath}`]
  const { registry } = bed
  const busybox = await busyboxLayer()
  if (which.includes('busybox')) {
    await pushImage(registry, repositories.busybox, tags.busybox, [busybox], { Env: env, Cmd: ['sh'] })
  }
  if (which.includes('node')) {
    const layers = [busybox, await nodeLayer()]
    await pushImage(registry, repositories.node, tags.node, layers, { Env: [...env, ...nodeEnv], Cmd: ['node'] })
  }
  return {
    busybox: `${registry.host}/${repositories.busybox}:${tags.busybox}`,
    node: `${registry.host}/${repositories.node}:${tags.node}`
  }
}

/**
 * Pushes an image with one layer of files, without a shell or a command.
 *
 * @param name unique name of the layer in this machine's cache folder
 * @param fill writes the files to an empty folder; called only if the layer is not in the cache folder
 * @returns its reference
 */
export async function pushFiles(
  { registry }: TestBed,
  repository: string,
  name: string,
  fill: (root: string) => Promise<void>
): Promise<string> {
  await pushImage(registry, repository, '1', [await layer(name, fill)], { Env: [], Cmd: [] })
  return `${registry.host}/${repository}:1`
}

async function busyboxLayer(): Promise<Layer> {
  return layer('busybox', async (root) => {
    const busybox = join(await ensureTools(), 'busybox')
    await mkdir(join(root, 'bin'))
    await copyFile(busybox, join(root, 'bin/busybox'))
    for (const applet of (await run(busybox, ['--list-full'])).stdout.trim().split('\n')) {
      const link = join(root, applet)
      await mkdir(dirname(link), { recursive: true })
      if (!existsSync(link)) await symlink(relative(dirname(link), join(root, 'bin/busybox')), link)
    }
    for (const folder of ['dev', 'etc', 'proc', 'root', 'sys', 'tmp', 'usr/local/bin', 'var/tmp']) {
      await mkdir(join(root, folder), { recursive: true })
    }
    await chmod(join(root, 'root'), 0o700)
    for (const folder of ['tmp', 'var/tmp']) await chmod(join(root, folder), 0o1777)
    await writeUsers(root, ['root:0:/root', 'nobody:65534:/nonexistent'])
  })
}

async function nodeLayer(): Promise<Layer> {
  const npm = await npmFolder()
  const { version } = JSON.parse(await readFile(join(npm, 'package.json'), 'utf8')) as { version: string }
  return layer(`node-${process.version}-npm-${version}`, async (root) => {
    const local = join(root, 'usr/local')
    await mkdir(join(local, 'bin'), { recursive: true })
    await copyFile(process.execPath, join(local, 'bin/node'))
    for (const library of await sharedLibraries(process.execPath)) {
      await mkdir(join(root, dirname(library)), { recursive: true })
      await copyFile(library, join(root, library))
    }
    await cp(npm, join(local, 'lib/node_modules/npm'), { recursive: true, verbatimSymlinks: true })
    for (const name of ['npm', 'npx']) {
      await symlink(`../lib/node_modules/npm/bin/${name}-cli.js`, join(local, 'bin', name))
    }
    await mkdir(join(root, 'home/node'), { recursive: true })
    await run('chown', ['1000:1000', join(root, 'home/node')])
    await writeUsers(root, ['root:0:/root', 'node:1000:/home/node', 'nobody:65534:/nonexistent'])
  })
}

async function layer(name: string, fill: (root: string) => Promise<void>): Promise<Layer> {
  return withLock(join(cacheFolder(), 'lock'), () => cachedLayer(join(cacheFolder(), 'layers'), name, fill))
}

/** Finds the package folder of the npm that runs this script, or else of the npm on PATH. */
async function npmFolder(): Promise<string> {
  const command =
    process.env.npm_execpath ??
    (await run('which', ['npm'], { env: { PATH: process.env.PATH ?? systemPath } })).stdout.trim()
  // …/npm/bin/npm-cli.js
  const folder = dirname(dirname(await realpath(command)))
  if (!existsSync(join(folder, 'package.json')))
    throw new Error(`The base image of Node.js needs npm, which is not in ${folder}.`)
  return folder
}

/** Absolute paths of a program's shared libraries and loader. */
async function sharedLibraries(program: string): Promise<string[]> {
  const { stdout } = await run('ldd', [program])
  return [...stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map((match) => match[1] ?? '')
}

/** Writes /etc/passwd and /etc/group for users given as `name:id:home`. */
async function writeUsers(root: string, users: string[]): Promise<void> {
  const fields = users.map((user) => user.split(':'))
  await mkdir(join(root, 'etc'), { recursive: true })
  const passwd = fields.map(([name, id, home]) => `${name}:x:${id}:${id}:${name}:${home}:/bin/sh\n`)
  await writeFile(join(root, 'etc/passwd'), passwd.join(''))
  await writeFile(join(root, 'etc/group'), fields.map(([name, id]) => `${name}:x:${id}:\n`).join(''))
}
