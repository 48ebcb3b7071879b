// Runs every test of the project and ends with one line: how many passed and how many failed.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const scratch = mkdtempSync(join(tmpdir(), 'shared-docker-layers-test-'))

interface Count {
  passed: number
  failed: number
}

/** What jest counts that has not passed. */
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

/** Whether the committed dist/ is, file by file, what src/ builds. */
function checkDist(): Count {
  const fresh = join(scratch, 'dist')
  if (!run('node', ['scripts/build.ts', fresh])) return counted(false)
  const [committed, built] = [join(root, 'dist'), fresh].map((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.\w+$/.test(name))
      .map((name) => `${name}\n${readFileSync(join(folder, name), 'utf8')}`)
      .toSorted((a, b) => (a < b ? -1 : 1))
      .join('\n')
  )
  const same = committed === built
  if (!same) console.log('dist/ is not what src/ builds: run `npm run build` and commit it')
  return counted(same)
}

/** Every test file under __tests__; a file that does not even load counts as a failure. */
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
  checkDist(),
  jest()
]
rmSync(scratch, { recursive: true })
const total = counts.reduce((sum, count) => ({ passed: sum.passed + count.passed, failed: sum.failed + count.failed }))
console.log(`\n${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed === 0 ? 0 : 1
