import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Certificate } from './certificates.ts'

/**
 * Who trusts a registry: `docker`, engines and clients of one that look into /etc/docker/certs.d; `system`, whatever reads
 * the machine's list, engines and buildx among them; `node`, Node.js by its variable.
 */
export type Truster = 'docker' | 'system' | 'node'

/** A registry whose certificate is signed by an authority of its own. */
export interface TrustedRegistry {
  /** ADDRESS:PORT, as images name it. */
  host: string
  /** File of the authority's certificate. */
  ca: string
  /** What engines show to a registry that asks for a certificate: `docker` must be among the trusters. */
  client?: Certificate
  /** All by default. */
  trusters?: readonly Truster[]
}

/** How the commands of one agent come to trust a registry, while the machine does not. */
export interface Trust {
  /** argv prefix within which /etc is the agent's own. */
  prefix: string[]
  env: Record<string, string>
}

const all: readonly Truster[] = ['docker', 'system', 'node']
const systemList = 'ssl/certs/ca-certificates.crt'

/** What makes an agent's commands trust a registry, once `writeTrust` has been here. */
export function trustOf(folder: string, { ca, trusters = all }: TrustedRegistry): Trust {
  const script = fileURLToPath(new URL('own-etc.sh', import.meta.url))
  return {
    prefix: ['unshare', '--mount', '--', 'sh', script, folder],
    env: trusters.includes('node') ? { NODE_EXTRA_CA_CERTS: ca } : {}
  }
}

/** Writes the files that lie over those of /etc. */
export async function writeTrust(folder: string, { host, ca, client, trusters = all }: TrustedRegistry): Promise<void> {
  const etc = join(folder, 'etc')
  await mkdir(etc)
  // Where the machine is a container these are mounted one by one, and an overlay shows what is below.
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
