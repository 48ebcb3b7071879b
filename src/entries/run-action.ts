import { randomUUID } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as core from '@actions/core'
import { quote } from '../action/event.ts'
import { crossCheck, type Inputs, readInputs } from '../action/inputs.ts'
import { hiddenLines, redactTexts } from '../action/mask.ts'
import { findSecretLike } from '../action/secret-like.ts'
import { folderOf, saveState } from '../action/state.ts'
import { variablesAskedFor } from '../docker/args.ts'
import { removeContainers } from '../docker/containers.ts'
import { DockerCli } from '../docker/docker.ts'
import { childEnvironment } from '../docker/environment.ts'
import { isWide, narrowModes } from '../git/file-modes.ts'
import { CancelledError, messageOf, UserError } from '../lib/errors.ts'
import { Log } from '../lib/log.ts'
import { type Span, Timeline } from '../lib/timeline.ts'
import { handOver } from '../pipeline/collect-reports.ts'
import { previewCommands } from '../pipeline/dry-run.ts'
import { runPipeline } from '../pipeline/pipeline.ts'
import { preparePlan } from '../plan/create-plan.ts'
import type { Plan } from '../plan/plan.ts'
import { HttpRegistry } from '../registry/registry.ts'
import { annotateFailures } from '../report/annotations.ts'
import type { Block } from '../report/document.ts'
import { markdown } from '../report/markdown.ts'
import { makeOutputs } from '../report/outputs.ts'
import { makeReport } from '../report/report.ts'
import { makeSummary } from '../report/summary.ts'
import { plainText } from '../report/terminal.ts'
import type { RunResult } from '../result/run.ts'

/** Elsewhere the summary is printed, and no workflow commands are. */
const IS_ON_GITHUB = process.env.GITHUB_ACTIONS === 'true'

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
  if (IS_ON_GITHUB) saveState({ runId, folder })

  const log = new Log(folder, !IS_ON_GITHUB)
  const timeline = new Timeline()
  timeline.sinceStart('run', 'Start')
  let plan: Plan | undefined
  let hidden: string[] = []
  let result: RunResult = { cacheStages: [], tests: [], cancelled: false, failures: [] }
  try {
    await mkdir(folder)
    const inputs = readInputs((name) => core.getInput(name, { trimWhitespace: false }))
    hidden = hiddenLines(inputs)
    if (IS_ON_GITHUB) for (const line of hidden) core.setSecret(line)
    crossCheck(inputs)
    warnOfSecrets(inputs, log)
    const childEnv = childEnvironment(process.env, variablesAskedFor(inputs))
    const docker = new DockerCli(childEnv, timeline)
    const prepared = await timeline.measure('prepare', 'Prepare', () =>
      preparePlan(inputs, process.env, childEnv, docker, log, cancellation.signal)
    )
    plan = prepared.plan
    announce(plan, log)
    if (inputs.dryRun) {
      result.commands = previewCommands(plan)
      const section = log.section('What would be run')
      section.write(`${result.commands.join('\n')}\n`)
      section.end()
      return
    }
    const restoreModes = narrowModes(
      inputs.context,
      isWide(process.umask()) ? ((await prepared.git.tracked()) ?? []) : []
    )
    const services = { docker, log, timeline, signal: cancellation.signal }
    const registry = new HttpRegistry({
      ...services,
      env: childEnv,
      insecure: plan.engine.insecure,
      platform: inputs.platform,
      buildx: plan.engine.buildx,
      retries: inputs.retries
    })
    try {
      result = await runPipeline({ ...prepared, ...services, registry, folder, runId })
    } finally {
      await registry.end()
      restoreModes()
      // no build reads the context any more
      await handOver({ plan, log, folder })
      const left = await removeContainers(docker, runId)
      if (left !== undefined) log.warning(`Containers of this run may be left: ${left}`)
    }
  } catch (error) {
    result.cancelled ||= error instanceof CancelledError
    result.failures.push(messageOf(error))
    if (!(error instanceof UserError) && error instanceof Error) core.debug(error.stack ?? '')
  } finally {
    await rm(folder, { recursive: true, force: true }).catch((error: unknown) => core.warning(messageOf(error)))
    timeline.sinceStart('run', 'All')
    await tell(
      plan,
      redactTexts(result, hidden),
      redactTexts(timeline.spans(), hidden),
      log,
      join(temp, `shared-docker-layers-report-${runId}.json`)
    )
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

/** Sets the outputs, and tells what happened in annotations, in the report and in the summary. */
async function tell(plan: Plan | undefined, result: RunResult, spans: Span[], log: Log, path: string): Promise<void> {
  const report = makeReport(plan, result, spans)
  const written = await writeFile(path, `${JSON.stringify(report, undefined, 2)}\n`).then(
    () => path,
    (error: unknown) => {
      log.warning(`The report could not be written: ${messageOf(error)}`)
      return ''
    }
  )
  // first of all: what follows writes files, perhaps on a full disk
  for (const { message, place } of annotateFailures(result, plan?.file)) log.error(message, place)
  if (result.failures.length > 0) process.exitCode = core.ExitCode.Failure
  try {
    for (const [name, value] of Object.entries(IS_ON_GITHUB ? makeOutputs(report, written) : {}))
      core.setOutput(name, value)
  } catch (error) {
    core.setFailed(`The outputs could not be written: ${messageOf(error)}`)
  }
  try {
    await writeSummary(makeSummary(report))
  } catch (error) {
    log.warning(`The summary could not be written: ${messageOf(error)}`)
  }
  log.end()
}

async function writeSummary(summary: Block[]): Promise<void> {
  if (process.env.GITHUB_STEP_SUMMARY) await core.summary.addRaw(markdown(summary)).write()
  else if (!IS_ON_GITHUB) process.stdout.write(`\n${plainText(summary)}`)
}
