import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './process.ts'
import type { Tls } from './stand-in-server.ts'

/** Paths of PEM files. */
export interface Certificate {
  certificate: string
  key: string
}

/** A private certificate authority, and the certificates that it signed. */
export interface Certificates {
  /** Path of the authority's certificate, for clients that trust it. */
  ca: string
  server: Certificate
  client: Certificate
}

/** The subject and extensions of a certificate, as in openssl's x509v3_config(5). */
interface Request {
  name: string
  extensions: Record<string, string>
}

/**
 * Makes a certificate authority, a server certificate and a client certificate with the command openssl.
 *
 * @param folder folder for the files; created if it does not exist
 * @param addresses IP addresses of the server in addition to 127.0.0.1 and 127.0.0.2
 */
export async function makeCertificates(folder: string, addresses: readonly string[] = []): Promise<Certificates> {
  await mkdir(folder, { recursive: true })
  const names = [
    'DNS:localhost',
    'DNS:registry.test',
    ...['127.0.0.1', '127.0.0.2', ...addresses].map((address) => `IP:${address}`)
  ]
  const authority = await sign(folder, {
    name: 'ca',
    extensions: { basicConstraints: 'critical,CA:TRUE', keyUsage: 'critical,keyCertSign' }
  })
  const server = await sign(
    folder,
    { name: 'server', extensions: { extendedKeyUsage: 'serverAuth', subjectAltName: names.join(',') } },
    authority
  )
  const client = await sign(folder, { name: 'client', extensions: { extendedKeyUsage: 'clientAuth' } }, authority)
  return { ca: authority.certificate, server, client }
}

/** Reads the TLS options of a server, which may require a client certificate. */
export async function serverTls({ ca, server }: Certificates, requestCert = false): Promise<Tls> {
  const [key, cert] = await Promise.all([readFile(server.key), readFile(server.certificate)])
  return { key, cert, ...(requestCert && { ca: await readFile(ca), requestCert }) }
}

/** Makes a key and a certificate, signed by the issuer or, without an issuer, by itself. */
async function sign(folder: string, { name, extensions }: Request, issuer?: Certificate): Promise<Certificate> {
  const file = (extension: string): string => join(folder, `${name}.${extension}`)
  const made = { certificate: file('pem'), key: file('key') }
  const lines = Object.entries({ authorityKeyIdentifier: 'keyid', subjectKeyIdentifier: 'hash', ...extensions })
  const config = [
    '[req]',
    'distinguished_name = subject',
    'x509_extensions = extensions',
    'prompt = no',
    '[subject]',
    `CN = shared-docker-layers test ${name}`,
    '[extensions]',
    ...lines.map(([key, value]) => `${key} = ${value}`)
  ]
  // The machine's own openssl.cnf may add arbitrary extensions.
  await writeFile(file('cnf'), `${config.join('\n')}\n`)
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', made.key]
  const by = issuer ? ['-CA', issuer.certificate, '-CAkey', issuer.key] : []
  await run('openssl', ['req', '-x509', '-config', file('cnf'), ...key, ...by, '-days', '2', '-out', made.certificate])
  return made
}
