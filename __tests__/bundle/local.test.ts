import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { FakeEngine, IMAGE } from '../support/fake-engine.ts'

let engine: FakeEngine

beforeAll(async () => {
  engine = await FakeEngine.create()
})
afterAll(() => engine.remove())

/** Runs the main bundle as somebody would at home: without anything of GitHub. */
function runLocally(inputs: Record<string, string>, answers: Parameters<FakeEngine['local']>[0] = []) {
  const { env, folder } = engine.local(answers)
  const temp = join(folder, 'temp')
  mkdirSync(temp)
  cpSync(join(import.meta.dirname, '..', '..', 'dist'), join(folder, 'dist'), { recursive: true })
  const all = Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value])
  return new Promise<{ exitCode: number; text: string; temp: string[] }>((resolve) => {
    const options = { cwd: engine.workspace, env: { ...env, TMPDIR: temp, ...Object.fromEntries(all) } }
    const child = execFile(process.execPath, [join(folder, 'dist', 'index.js')], options, (_, stdout, stderr) =>
      resolve({ exitCode: child.exitCode ?? -1, text: stdout + stderr, temp: readdirSync(temp) })
    )
  })
}

it('Outside GitHub the summary is printed, and no workflow command', async () => {
  const { exitCode, text, temp } = await runLocally({ image: IMAGE, tests: 'npm test' })
  expect(exitCode).toBe(0)
  expect(text).toMatch(new RegExp(`^✅ Built and tested ${IMAGE}:${engine.sha.slice(0, 7)}; nothing was pushed$`, 'm'))
  expect(text).toMatch(/^TEST {6}STATUS {2}TIME$/m)
  expect(text).toMatch(/^npm test {2}passed {2}\d+\.\d s$/m)
  expect(text).toMatch(/█+ +\d+\.\d s {2}Test npm test$/m)
  expect(text).not.toMatch(/^::|##\[/m)
  expect(temp).toEqual([expect.stringMatching(/report/)])
})

it('and a failure ends with exit code 1', async () => {
  const { exitCode, text } = await runLocally({ image: IMAGE, tests: 'a' }, [{ to: '-c a', exitCode: 3 }])
  expect(exitCode).toBe(1)
  expect(text).toMatch(/^❌ 1 of 1 tests did not pass: nothing was pushed$/m)
  expect(text).toMatch(/^Error: The test "a" did not pass: exit code 3/m)
})
