// Runs in full what the tests try in part: cases of properties, schedules of registry faults, races.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const files = ['properties', 'unit/move', 'e2e/races', 'e2e/faults']
// one after the other: what is measured on real engines shall not wait for something else
const { status } = spawnSync('npm', ['run', '--silent', 'test:jest', '--', '--runInBand', ...files], {
  cwd: join(import.meta.dirname, '..'),
  env: { ...process.env, CASES: 'long' },
  stdio: 'inherit'
})
process.exitCode = status ?? 1
