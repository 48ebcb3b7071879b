// Runs in full what `npm test` samples: cases of properties, schedules of registry faults, histories, races, engines.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const files = ['properties', 'unit/pipeline/publish/promote', 'unit/pipeline/histories', 'e2e/races', 'e2e/faults']
/** Tests that `npm test` plays on some of the engines. */
const onAllEngines = [
  'e2e/equivalence',
  'e2e/kept-engines',
  'e2e/chain-legacy',
  'e2e/cancellation',
  'bundle/bounds',
  'e2e/engine-faults',
  'e2e/stand-in-engines',
  'e2e/engines\\.',
  'e2e/chain-inline',
  'e2e/dockerfiles',
  'e2e/registry\\.',
  'e2e/reasons',
  'e2e/self-check',
  'e2e/reports',
  'e2e/registries',
  'e2e/several-machines',
  'e2e/verdicts',
  'e2e/branches',
  'e2e/content-keys',
  'e2e/names',
  'e2e/inputs',
  'e2e/restored-images',
  'e2e/platforms',
  'e2e/what-ships'
]
// in sequence: parallel tests would delay those on real engines
const { status } = spawnSync('npm', ['run', '--silent', 'test:jest', '--', '--runInBand', ...files, ...onAllEngines], {
  cwd: join(import.meta.dirname, '..'),
  env: { ...process.env, CASES: 'long' },
  stdio: 'inherit'
})
process.exitCode = status ?? 1
