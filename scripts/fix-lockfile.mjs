// `npm run lockfile`: adds entries for optional platform packages that npm left out, and every missing integrity
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'

const f = process.argv[2] ?? 'package-lock.json',
  lock = JSON.parse(readFileSync(f, 'utf8')),
  P = lock.packages
const OS = [
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'win32',
  'wasi',
  'sunos',
  'aix'
]
const CPU = {
  x64: 'x64',
  arm64: 'arm64',
  ia32: 'ia32',
  arm: 'arm',
  ppc64: 'ppc64',
  s390x: 's390x',
  riscv64: 'riscv64',
  loong64: 'loong64'
}
let n = 0
for (const [k, p] of Object.entries(P))
  for (const [name, v] of Object.entries(p.optionalDependencies ?? {})) {
    if (k === '' || P[`node_modules/${name}`] || P[`${k}/node_modules/${name}`]) continue
    const t = name.split('/').pop().split('-'),
      os = OS.find((o) => t.includes(o)),
      cpu = Object.keys(CPU).find((c) => t.includes(c))
    if (!os || !/^\d/.test(v)) {
      console.error('skip', k, name, v)
      continue
    }
    P[`node_modules/${name}`] = {
      version: v,
      ...(cpu && { cpu: [cpu] }),
      ...(p.dev && { dev: true }),
      ...(t.includes('musl') && { libc: ['musl'] }),
      optional: true,
      os: [os]
    }
    n++
  }
for (const [k, p] of Object.entries(P)) {
  if (k === '' || p.integrity || p.link || p.inBundle) continue
  const wanted = `${k.replace(/^.*node_modules\//, '')}@${p.version}`
  const integrity = execFileSync('npm', ['view', wanted, 'dist.integrity'], { encoding: 'utf8' }).trim()
  if (!/^sha512-\S+$/.test(integrity)) throw new Error(`The registry gives no integrity of ${wanted}`)
  const { version, ...rest } = p
  P[k] = { version, integrity, ...rest }
}
lock.packages = Object.fromEntries(Object.entries(P).sort(([a], [b]) => a.localeCompare(b, 'en')))
writeFileSync(f, `${JSON.stringify(lock, null, 2)}\n`)
console.log('added', n)
