// `npm test`: runs all checks and tests, and prints the numbers of passed and failed ones as the last line.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const scratch = mkdtempSync(join(tmpdir(), 'shared-docker-layers-test-'))

interface Count {
  passed: number
  failed: number
}

/** Jest's counters of tests that did not pass. */
type Failure = 'numFailedTests' | 'numPendingTests' | 'numTodoTests' | 'numRuntimeErrorTestSuites'

function run(command: string, args: string[]): boolean {
  console.log(`\n> ${command} ${args.join(' ')}`)
  return spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status === 0
}

function check(command: string, args: string[]): Count {
  return counted(run(command, args))
}

function counted(ok: boolean): Count {
  return ok ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }
}

/** Runs every test file in __tests__. A file that does not load counts as a failure. */
function jest(): Count {
  const output = join(scratch, 'jest.json')
  const ok = run('npm', ['run', '--silent', 'test:jest', '--', '--json', '--outputFile', output])
  try {
    const result = JSON.parse(readFileSync(output, 'utf8')) as Record<'numPassedTests' | Failure, number>
    const failures: Failure[] = ['numFailedTests', 'numPendingTests', 'numTodoTests', 'numRuntimeErrorTestSuites']
    const failed = failures.reduce((sum, name) => sum + result[name], 0)
    return { passed: result.numPassedTests, failed: ok ? failed : Math.max(1, failed) }
  } catch {
    return counted(false)
  }
}

const counts = [
  check('tsc', ['--noEmit']),
  check('biome', ['check', '--error-on-warnings', '--colors=off', '.']),
  check('node', ['scripts/check-dist.ts']),
  jest()
]
rmSync(scratch, { recursive: true })
const total = counts.reduce((sum, count) => ({ passed: sum.passed + count.passed, failed: sum.failed + count.failed }))
console.log(`\n${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed === 0 ? 0 : 1
