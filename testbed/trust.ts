import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Certificate } from './certificates.ts'

/**
 * Programs that trust a registry. `docker`: engines and docker clients, through /etc/docker/certs.d. `system`: programs that read
 * the list of the operating system, including engines and buildx. `node`: Node.js, through its environment variable.
 */
export type Truster = 'docker' | 'system' | 'node'

/** A registry whose certificate is signed by a private authority. */
export interface TrustedRegistry {
  /** ADDRESS:PORT, as in image references. */
  host: string
  /** Path of the authority's certificate. */
  ca: string
  /** Client certificate of engines, for a registry that requires one. It needs the truster `docker`. */
  client?: Certificate
  /** All by default. */
  trusters?: readonly Truster[]
}

/** Makes the commands of one agent trust a registry that the machine does not trust. */
export interface Trust {
  /** argv prefix that gives a command the agent's own /etc. */
  prefix: string[]
  env: Record<string, string>
}

const all: readonly Truster[] = ['docker', 'system', 'node']
const systemList = 'ssl/certs/ca-certificates.crt'

/** Prefix and environment with which an agent's commands trust a registry. Call `writeTrust` first. */
export function trustOf(folder: string, { ca, trusters = all }: TrustedRegistry): Trust {
  const script = fileURLToPath(new URL('own-etc.sh', import.meta.url))
  return {
    prefix: ['unshare', '--mount', '--', 'sh', script, folder],
    env: trusters.includes('node') ? { NODE_EXTRA_CA_CERTS: ca } : {}
  }
}

/** Writes the files of the overlay of /etc. */
export async function writeTrust(folder: string, { host, ca, client, trusters = all }: TrustedRegistry): Promise<void> {
  const etc = join(folder, 'etc')
  await mkdir(etc)
  // In a container, single files of /etc may be mounts; an overlay shows the files below them, so copy the mounted one.
  await copyFile('/etc/hosts', join(etc, 'hosts'))
  if (trusters.includes('docker')) {
    const certificates = join(etc, 'docker', 'certs.d', host)
    await mkdir(certificates, { recursive: true })
    await copyFile(ca, join(certificates, 'ca.crt'))
    if (client) {
      await copyFile(client.certificate, join(certificates, 'client.cert'))
      await copyFile(client.key, join(certificates, 'client.key'))
    }
  }
  if (trusters.includes('system')) {
    const known = await readFile(join('/etc', systemList), 'utf8').catch(() => '')
    await mkdir(dirname(join(etc, systemList)), { recursive: true })
    await writeFile(join(etc, systemList), `${known}\n${await readFile(ca, 'utf8')}`)
  }
}
