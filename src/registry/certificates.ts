import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as tls from 'node:tls'
import type { Environment } from './proxy.ts'

/** Returns the certificate folders of a registry (docs.docker.com, "Verify repository client with certificates"). */
function foldersFor(registry: string, env: Environment): string[] {
  const ofUser = env.XDG_CONFIG_HOME || (env.HOME && join(env.HOME, '.config'))
  return ['/etc', ...(ofUser ? [ofUser] : [])].map((folder) => join(folder, 'docker', 'certs.d', registry))
}

/**
 * Creates the TLS context for a registry. It trusts the certificates of Node.js and of the system, and each *.crt in docker's
 * folder certs.d/REGISTRY; it presents each *.cert there with its *.key as a client certificate.
 *
 * @param registry host[:port] as in a reference
 * @throws Error if one of these files cannot be read or parsed
 */
export async function makeSecureContext(
  registry: string,
  env: Environment,
  folders = foldersFor(registry, env)
): Promise<tls.SecureContext> {
  const found = await Promise.all(folders.map(readCertificates))
  return tls.createSecureContext({
    ca: [...trustedHere(), ...found.flatMap(({ authorities }) => authorities)],
    cert: found.flatMap(({ clients }) => clients.map(({ certificate }) => certificate)),
    key: found.flatMap(({ clients }) => clients.map(({ key }) => key))
  })
}

let trusted: string[] | undefined

/** Returns the certificates that the system trusts, as docker does; Node.js by default trusts only its own list. */
function trustedHere(): string[] {
  // Node.js has this function since 22.15
  const read = (tls as Partial<typeof tls>).getCACertificates
  trusted ??= read ? [...new Set([...read('default'), ...read('system')])] : [...tls.rootCertificates]
  return trusted
}

interface Certificates {
  authorities: Buffer[]
  clients: { certificate: Buffer; key: Buffer }[]
}

async function readCertificates(folder: string): Promise<Certificates> {
  const names = (await readdir(folder).catch(() => [])).toSorted()
  const read = (name: string): Promise<Buffer> => readFile(join(folder, name))
  const withKey = names.filter((name) => name.endsWith('.cert') && names.includes(name.replace(/cert$/, 'key')))
  return {
    authorities: await Promise.all(names.filter((name) => name.endsWith('.crt')).map(read)),
    clients: await Promise.all(
      withKey.map(async (name) => ({ certificate: await read(name), key: await read(name.replace(/cert$/, 'key')) }))
    )
  }
}
