import { randomUUID } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as core from '@actions/core'
import { removeContainers } from './containers.ts'
import { quote } from './context.ts'
import { variablesAskedFor } from './engine/args.ts'
import { childEnvironment, DockerCli } from './engine/docker.ts'
import { CancelledError, messageOf, UserError } from './errors.ts'
import { isWide, narrowModes } from './file-modes.ts'
import { crossCheck, type Inputs, readInputs } from './inputs.ts'
import { Log } from './log.ts'
import { runPipeline } from './pipeline.ts'
import type { Plan } from './plan.ts'
import { preparePlan } from './prepare.ts'
import { makeOutputs } from './report/outputs.ts'
import { makeReport } from './report/report.ts'
import { makeSummary } from './report/summary.ts'
import type { RunResult } from './run.ts'
import { findSecretLike } from './secret-like.ts'
import { folderOf, saveState } from './state.ts'
import { Timeline } from './timeline.ts'

/** The main step. Whatever happens, the outputs are set, the summary is written and nothing of ours is left running. */
export async function run(): Promise<void> {
  const cancellation = new AbortController()
  const cancel = (): void => cancellation.abort()
  process.on('SIGINT', cancel)
  process.on('SIGTERM', cancel)

  const temp = process.env.RUNNER_TEMP || tmpdir()
  const runId = randomUUID()
  const folder = folderOf(runId, temp)
  // before anything is made: the post step must know of it
  saveState({ runId, folder })

  const log = new Log(folder)
  const timeline = new Timeline()
  timeline.sinceStart('Start')
  let plan: Plan | undefined
  let result: RunResult = { cacheStages: [], tests: [], cancelled: false, failures: [] }
  try {
    await mkdir(folder)
    const inputs = readInputs((name) => core.getInput(name, { trimWhitespace: false }))
    mask(inputs)
    crossCheck(inputs)
    warnOfSecrets(inputs, log)
    const childEnv = childEnvironment(process.env, variablesAskedFor(inputs))
    const docker = new DockerCli(childEnv, timeline)
    const prepared = await timeline.measure('Prepare', () =>
      preparePlan(inputs, process.env, childEnv, docker, log, cancellation.signal)
    )
    plan = prepared.plan
    announce(plan, log)
    const restoreModes = narrowModes(
      inputs.context,
      isWide(process.umask()) ? ((await prepared.git.tracked()) ?? []) : []
    )
    try {
      result = await runPipeline({ ...prepared, docker, log, timeline, folder, runId, signal: cancellation.signal })
    } finally {
      restoreModes()
      const left = await removeContainers(docker, runId)
      if (left !== undefined) log.warning(`Containers of this run may be left: ${left}`)
    }
  } catch (error) {
    result.cancelled ||= error instanceof CancelledError
    result.failures.push(messageOf(error))
    if (!(error instanceof UserError) && error instanceof Error) core.debug(error.stack ?? '')
  } finally {
    await rm(folder, { recursive: true, force: true }).catch((error: unknown) => core.warning(messageOf(error)))
    timeline.sinceStart('All')
    await report(plan, result, timeline, join(temp, `shared-docker-layers-report-${runId}.json`))
  }
}

function mask({ secrets, githubToken, buildArgs }: Inputs): void {
  const likely = findSecretLike(buildArgs).map(({ value }) => value ?? '')
  for (const value of [...secrets.map((secret) => secret.value), ...likely, githubToken ?? '']) {
    // the runner masks within lines only
    for (const line of value.split(/\r?\n/)) if (line.trim() !== '') core.setSecret(line)
  }
}

function warnOfSecrets({ buildArgs }: Inputs, log: Log): void {
  for (const { name } of findSecretLike(buildArgs)) {
    log.warning(
      `Build argument ${quote(name)} looks like a secret, and anyone who has the image can read build arguments in its history; use the input secrets with RUN --mount=type=secret instead`
    )
  }
}

function announce({ strategy, decision, refs, build, builds }: Plan, log: Log): void {
  log.info(`Commit ${build.shortSha}${build.branch === '' ? '' : ` of branch ${build.branch}`}: ${refs.production}`)
  log.info(`Strategy ${strategy.name}: ${strategy.reason}`)
  if (strategy.warning !== undefined) log.warning(strategy.warning)
  const cacheStages = builds.flatMap(({ kind, name, moving }) =>
    kind === 'cache' ? [moving === undefined ? name : `${name} (${moving})`] : []
  )
  if (cacheStages.length > 0)
    log.info(`Stages that are built by themselves, for their cache: ${cacheStages.join(', ')}`)
  if (decision.push) log.info(decision.reason)
  else log.notice(decision.reason)
}

async function report(plan: Plan | undefined, result: RunResult, timeline: Timeline, path: string): Promise<void> {
  const written = await writeFile(path, makeReport(plan, result, timeline.spans())).then(
    () => path,
    (error: unknown) => {
      core.warning(`The report could not be written: ${messageOf(error)}`)
      return ''
    }
  )
  // first of all: what follows writes files, perhaps on a full disk
  const [first, ...others] = result.failures
  for (const failure of others) core.error(failure)
  if (first !== undefined) core.setFailed(first)
  try {
    for (const [name, value] of Object.entries(makeOutputs(plan, result, written))) core.setOutput(name, value)
  } catch (error) {
    core.setFailed(`The outputs could not be written: ${messageOf(error)}`)
  }
  if (!process.env.GITHUB_STEP_SUMMARY) return
  try {
    await core.summary.addRaw(makeSummary(plan, result), true).write()
  } catch (error) {
    core.warning(`The summary could not be written: ${messageOf(error)}`)
  }
}
