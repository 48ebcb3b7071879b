import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Docker } from '../../../src/docker/docker.ts'
import { runChecks } from '../../../src/pipeline/check.ts'
import type { TestResult } from '../../../src/result/result.ts'
import { makePlan } from '../../support/make-plan.ts'
import { makeRun } from '../../support/make-run.ts'

const PATH = { PATH: process.env.PATH }
const IMAGE_ID = `sha256:${'a'.repeat(64)}`
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'checks-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function check(
  checks: string,
  {
    inputs = {},
    env = {},
    signal
  }: { inputs?: Record<string, string>; env?: Record<string, string>; signal?: AbortSignal } = {}
): Promise<TestResult[]> {
  const plan = makePlan({ inputs: { checks, ...inputs } })
  const docker: Docker = { call: async () => ({ exitCode: 0, stdout: `${IMAGE_ID}\n`, stderr: '' }) }
  const run = makeRun({ plan, docker, stepEnv: { ...PATH, ...env }, ...(signal && { signal }) })
  return runChecks(run)
}

/** Waits until a background process of a check has written a file. */
async function pidIn(file: string): Promise<number> {
  for (let tries = 0; tries < 100 && !(existsSync(file) && readFileSync(file, 'utf8').endsWith('\n')); tries++)
    await sleep(50)
  return Number(readFileSync(file, 'utf8'))
}

/** Whether a process still runs; a killed one may be a zombie until somebody reaps it. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

async function hasEnded(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 100 && isRunning(pid); tries++) await sleep(50)
  return !isRunning(pid)
}

describe('runChecks', () => {
  it('runs each one to its end, in order', async () => {
    const log = join(folder, 'log')
    const results = await check(`echo 1 >> ${log}; sleep 0.2\necho oops; exit 3\ngrep -c 1 ${log}`)
    expect(results).toEqual([
      {
        ...{ kind: 'check', command: expect.any(String), status: 'passed', exitCode: 0, seconds: expect.any(Number) },
        imageId: IMAGE_ID
      },
      {
        ...{ kind: 'check', command: 'echo oops; exit 3', status: 'failed', exitCode: 3, seconds: expect.any(Number) },
        ...{ imageId: IMAGE_ID, failure: 'exit code 3', lastLines: 'oops' }
      },
      expect.objectContaining({ status: 'passed' })
    ])
  })

  it('runs a script of several lines up to the first that fails', async () => {
    const [result] = await check(`echo one\n  false\n  echo two > ${folder}/two`)
    expect(result).toMatchObject({ status: 'failed', exitCode: 1, lastLines: 'one' })
    expect(existsSync(join(folder, 'two'))).toBe(false)
  })

  it("gives it the images and the step's environment, without what is the action's or the runner's", async () => {
    const env = {
      ...{ OWN: 'own', GITHUB_SHA: 'sha', RUNNER_TRACKING_ID: 'id' },
      ...{ 'INPUT_GITHUB-TOKEN': 'x', GITHUB_OUTPUT: 'x', GITHUB_STATE: 'x', GITHUB_ENV: 'x', GITHUB_PATH: 'x' },
      ...{ GITHUB_STEP_SUMMARY: 'x', ACTIONS_RUNTIME_TOKEN: 'x', ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'x', STATE_run: 'x' }
    }
    expect(await check(`env > ${folder}/env`, { env })).toMatchObject([{ status: 'passed' }])
    const seen = readFileSync(join(folder, 'env'), 'utf8')
      .trim()
      .split('\n')
      .filter((line) => !/^(PATH|PWD|OLDPWD|SHLVL|_)=/.test(line))
    expect(new Set(seen)).toEqual(
      new Set([
        ...['OWN=own', 'GITHUB_SHA=sha', 'RUNNER_TRACKING_ID=id'],
        ...['IMAGE=octo/app:0123456', 'BUILDER_IMAGE=octo/app:builder-0123456', `IMAGE_ID=${IMAGE_ID}`]
      ])
    )
  })

  it('ends one whose time is over, with all that it has started', async () => {
    const results = await check(`sleep 1000 & echo $! > ${folder}/pid; wait`, {
      inputs: { 'test-timeout-minutes': '0.02' }
    })
    expect(results).toMatchObject([
      { status: 'timed-out', exitCode: null, failure: 'it was stopped after 0.02 minutes' }
    ])
    expect(await hasEnded(await pidIn(join(folder, 'pid')))).toBe(true)
  })

  it('ends what one leaves in the background', async () => {
    expect(await check(`sleep 1000 > /dev/null 2>&1 & echo $! > ${folder}/pid`)).toMatchObject([{ status: 'passed' }])
    expect(await hasEnded(await pidIn(join(folder, 'pid')))).toBe(true)
  })

  it('begins none after a cancellation, ends the one that runs, and tells those that had ended', async () => {
    const cancellation = new AbortController()
    const checks = `true\necho $$ > ${folder}/pid; sleep 1000\ntouch ${folder}/third`
    const results = check(checks, { signal: cancellation.signal })
    const pid = await pidIn(join(folder, 'pid'))
    expect(isRunning(pid)).toBe(true)
    cancellation.abort()
    expect(await results).toMatchObject([{ command: 'true', status: 'passed' }])
    expect(await hasEnded(pid)).toBe(true)
    expect(existsSync(join(folder, 'third'))).toBe(false)
  })
})
