import { existsSync } from 'node:fs'
import { chmod, copyFile, cp, mkdir, readdir, readFile, realpath, symlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import type { TestBed } from './bed.ts'
import { cacheFolder, ensureBusybox386, ensureTools } from './engines.ts'
import { cachedLayer, type Layer, pushImage, pushIndex } from './image.ts'
import { withLock } from './lock.ts'
import { installPackages } from './packages.ts'
import { run, systemPath } from './process.ts'

export interface BaseImages {
  busybox: string
  node: string
  /** A server like docker.io/library/postgres, with busybox and the clients. */
  postgres: string
}

const repositories = { busybox: 'base/busybox', node: 'base/node', postgres: 'base/postgres' }
const tags = { busybox: '1', node: '24', postgres: '1' }

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
  if (which.includes('postgres')) {
    const folder = await postgresFolder()
    const layers = [busybox, await postgresLayer(folder)]
    const config = { Env: [`PATH=${folder}/bin:${systemPath}`], Cmd: ['start-postgres'] }
    await pushImage(registry, repositories.postgres, tags.postgres, layers, config)
  }
  const referenceOf = (name: keyof BaseImages): string => `${registry.host}/${repositories[name]}:${tags[name]}`
  return { busybox: referenceOf('busybox'), node: referenceOf('node'), postgres: referenceOf('postgres') }
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

/** Pushes a base image for linux/amd64 and linux/386, whose programs this machine runs both; returns its reference. */
export async function pushBaseOfPlatforms({ registry }: TestBed): Promise<string> {
  const config = { Env: [`PATH=${systemPath}`], Cmd: ['sh'] }
  const foreign = await busyboxLayer('busybox-386', await ensureBusybox386())
  const images = [
    await pushImage(registry, 'base/platforms', 'amd64', [await busyboxLayer()], config),
    await pushImage(registry, 'base/platforms', '386', [foreign], config, '386')
  ]
  await pushIndex(registry, 'base/platforms', '1', images)
  return `${registry.host}/base/platforms:1`
}

async function busyboxLayer(name = 'busybox', program?: string): Promise<Layer> {
  return layer(name, async (root) => {
    const busybox = program ?? join(await ensureTools(), 'busybox')
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
    await copyLibraries(root, [process.execPath])
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

/** Finds the newest PostgreSQL of this machine, where Debian and Ubuntu install it; installs it if there is none. */
async function postgresFolder(): Promise<string> {
  const parent = '/usr/lib/postgresql'
  const find = async (): Promise<string | undefined> => {
    const versions = existsSync(parent) ? await readdir(parent) : []
    return versions
      .toSorted((a, b) => Number(a) - Number(b))
      .findLast((one) => existsSync(join(parent, one, 'bin/initdb')))
  }
  if ((await find()) === undefined) await installPackages(['postgresql'])
  return join(parent, (await find()) ?? '')
}

/** @param folder /usr/lib/postgresql/VERSION */
async function postgresLayer(folder: string): Promise<Layer> {
  const version = basename(folder)
  return layer(`postgres-${version}`, async (root) => {
    const programs = ['initdb', 'postgres', 'pg_isready', 'psql'].map((name) => join(folder, 'bin', name))
    for (const path of programs) await copyInto(root, path)
    // without the bitcode for the just-in-time compiler
    for (const name of await readdir(join(folder, 'lib'))) {
      if (name.endsWith('.so') && !name.startsWith('llvm')) await copyInto(root, join(folder, 'lib', name))
    }
    await copyLibraries(root, programs)
    await cp(`/usr/share/postgresql/${version}`, join(root, 'usr/share/postgresql', version), { recursive: true })
    await writeUsers(root, ['root:0:/root', 'postgres:999:/tmp', 'nobody:65534:/nonexistent'])
    await mkdir(join(root, 'usr/local/bin'), { recursive: true })
    await writeFile(join(root, 'usr/local/bin/start-postgres'), START_POSTGRES, { mode: 0o755 })
  })
}

/** Starts a server as the image of Docker Hub does: with the password of POSTGRES_PASSWORD, for every host. */
const START_POSTGRES = `#!/bin/sh -e
mkdir -p /var/run/postgresql /data
chown postgres /var/run/postgresql /data
echo "$POSTGRES_PASSWORD" > /tmp/password
su postgres -c "initdb --pgdata /data --username postgres --pwfile /tmp/password --auth scram-sha-256 --no-locale --encoding UTF8 --no-sync"
echo 'host all all all scram-sha-256' >> /data/pg_hba.conf
exec su postgres -c "exec postgres -D /data -c 'listen_addresses=*'"
`

async function copyInto(root: string, path: string): Promise<void> {
  await mkdir(join(root, dirname(path)), { recursive: true })
  await copyFile(path, join(root, path))
}

/** Copies the shared libraries of programs, and the loader. */
async function copyLibraries(root: string, programs: string[]): Promise<void> {
  const libraries = await Promise.all(programs.map(sharedLibraries))
  for (const library of new Set(libraries.flat())) await copyInto(root, library)
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
