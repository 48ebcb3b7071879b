// Runs in full what `npm test` samples: cases of properties, schedules of registry faults, races, Dockerfiles.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const files = ['properties', 'unit/pipeline/publish/promote', 'e2e/races', 'e2e/faults', 'e2e/equivalence']
// in sequence: parallel tests would delay those on real engines
const { status } = spawnSync('npm', ['run', '--silent', 'test:jest', '--', '--runInBand', ...files], {
  cwd: join(import.meta.dirname, '..'),
  env: { ...process.env, CASES: 'long' },
  stdio: 'inherit'
})
process.exitCode = status ?? 1
