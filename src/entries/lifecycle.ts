import { randomUUID } from 'node:crypto'
import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as core from '@actions/core'
import { crossCheck, type Inputs, readInputs } from '../action/inputs.ts'
import { variablesAskedFor } from '../action/passed-variables.ts'
import { readSecrets, secretsInEnvironment, secretsInFiles } from '../action/secret-inputs.ts'
import { findSecretLike, Secrets } from '../action/secrets.ts'
import { folderOf, saveState } from '../action/state.ts'
import { DockerCli } from '../docker/docker.ts'
import { childEnvironment } from '../docker/environment.ts'
import { CancelledError, messageOf, UserError } from '../lib/errors.ts'
import { Log } from '../lib/log.ts'
import { quote } from '../lib/text.ts'
import { type Span, Timeline } from '../lib/timeline.ts'
import type { Plan } from '../plan/plan.ts'
import { annotateFailures, annotateMisses, annotateWarnings } from '../report/annotations.ts'
import type { Block } from '../report/document.ts'
import { markdown } from '../report/markdown.ts'
import { artifactOf, makeOutputs } from '../report/outputs.ts'
import { makeReport, type Part, type Report } from '../report/report.ts'
import { makeSummary } from '../report/summary.ts'
import { plainText } from '../report/terminal.ts'
import { emptyResult, failureOfError, type RunResult } from '../result/result.ts'

/** Outside GitHub, the action prints the summary, and no workflow command. */
const IS_ON_GITHUB = process.env.GITHUB_ACTIONS === 'true'

/** Returns the text of an input, as the user wrote it. */
export function readInput(name: string): string {
  return core.getInput(name, { trimWhitespace: false })
}

/** How an entry differs from that of the whole job. */
export interface Entry {
  /** The part of the job that it does. */
  part?: Part
  /** Returns its outputs; by default those of the whole job. */
  outputs?: (report: Report, path: string) => Record<string, string>
  /** Returns what reads the inputs, if not all of them are this step's own. */
  openInputs?: () => Promise<(name: string) => string>
}

/** The inputs and services of an entry. */
export interface Action {
  inputs: Inputs
  secrets: Secrets
  docker: DockerCli
  /** The environment of docker and git. */
  childEnv: Record<string, string>
  log: Log
  timeline: Timeline
  /** The action's temporary folder. */
  folder: string
  /** Value of the label on the containers of this run. */
  runId: string
  /** Aborted when the run is cancelled. */
  signal: AbortSignal
  /** Hands the plan to the report, as soon as it is complete. */
  planned: (plan: Plan) => void
}

/**
 * Does what all entries share: signals, the temporary folder, the inputs, secrets, and the end. Whatever happens, it sets the
 * outputs, writes the summary and leaves nothing of the action running.
 *
 * @param work the entry's own work; an error that it throws is a failure of the run
 */
export async function runAction(work: (action: Action) => Promise<RunResult>, entry: Entry = {}): Promise<void> {
  const cancellation = new AbortController()
  const cancel = (): void => cancellation.abort()
  process.on('SIGINT', cancel)
  process.on('SIGTERM', cancel)

  const temp = process.env.RUNNER_TEMP || tmpdir()
  const runId = randomUUID()
  const folder = folderOf(runId, temp)
  // before the action creates anything, because the post step must know of it
  if (IS_ON_GITHUB) saveState({ runId, folder })

  const log = new Log(folder, !IS_ON_GITHUB)
  const timeline = new Timeline()
  timeline.sinceStart('run', 'Start')
  let plan: Plan | undefined
  const planned = (made: Plan): void => {
    plan = made
  }
  let secrets = new Secrets({
    secrets: [],
    githubToken: undefined,
    buildArgs: [],
    tests: [],
    productionTests: [],
    testOptions: []
  })
  let result = emptyResult()
  try {
    await mkdir(folder)
    const get = (await entry.openInputs?.()) ?? readInput
    const read = readInputs(get)
    const [inEnvironment, unset] = secretsInEnvironment(read.secretEnvs, process.env)
    const inputs = { ...read, secrets: [...read.secrets, ...inEnvironment] }
    const [dockerfile, files] = await Promise.all([readDockerfile(inputs), secretsInFiles(inputs.secretFiles)])
    secrets = new Secrets(inputs, namesShown(inputs, temp), process.env, dockerfile, files)
    if (IS_ON_GITHUB) for (const line of secrets.lines) core.setSecret(line)
    crossCheck(read)
    noticeEmptySecrets('in the input secrets', readSecrets(get)[1], log)
    noticeEmptySecrets('in the environment, for the input secret-envs,', unset, log)
    warnOfSecrets(inputs, secrets, log)
    const childEnv = childEnvironment(process.env, variablesAskedFor(inputs))
    const docker = new DockerCli(childEnv, timeline)
    const { signal } = cancellation
    result = await work({ inputs, secrets, docker, childEnv, log, timeline, folder, runId, signal, planned })
  } catch (error) {
    result.cancelled ||= error instanceof CancelledError
    result.failures.push(failureOfError(error))
    if (!(error instanceof UserError) && error instanceof Error) core.debug(error.stack ?? '')
  } finally {
    await rm(folder, { recursive: true, force: true }).catch((error: unknown) => core.warning(messageOf(error)))
    timeline.sinceStart('run', 'All')
    await report({
      entry,
      plan,
      result: secrets.redactTexts(result),
      spans: secrets.redactTexts(timeline.spans()),
      log,
      path: join(temp, `shared-docker-layers-report-${runId}.json`)
    })
    // work that the run did without may still go on, and would keep this process alive
    cancel()
  }
}

/** Returns the text of the Dockerfile; '' if it cannot be read, which the plan says. */
async function readDockerfile({ context, file = join(context, 'Dockerfile') }: Inputs): Promise<string> {
  return readFile(file, 'utf8').catch(() => '')
}

/** Returns the names in outputs and tags, as far as they are known before the run reads anything. */
function namesShown(inputs: Inputs, temp: string): string[] {
  const { GITHUB_SHA, GITHUB_REF, GITHUB_HEAD_REF, GITHUB_REPOSITORY } = process.env
  const { image, builderTag, latestTag, commitTag, tags, builderTarget, target, publishBranch } = inputs
  const { context, file, platform, platforms } = inputs
  const stages = Array.isArray(inputs.cacheStages) ? inputs.cacheStages : []
  return [
    image,
    builderTag,
    latestTag,
    commitTag,
    ...tags,
    builderTarget,
    target,
    ...stages,
    ...publishBranch,
    context,
    file,
    platform,
    ...platforms
  ]
    .concat(GITHUB_SHA, GITHUB_REF, GITHUB_HEAD_REF, GITHUB_REPOSITORY, temp)
    .flatMap((name) => name ?? [])
}

function noticeEmptySecrets(where: string, ids: readonly string[], log: Log): void {
  if (ids.length === 0) return
  log.notice(
    `No value ${where} for ${ids.join(', ')}: the build does not get it, as if it were not in the input. GitHub gives no secrets to workflows of forks and Dependabot`
  )
}

function warnOfSecrets({ buildArgs }: Inputs, { shown }: Secrets, log: Log): void {
  for (const { name } of findSecretLike(buildArgs)) {
    log.warning(
      `Build argument ${quote(name)} looks like a secret, and anyone who has the image can read build arguments in its history; use the input secrets with RUN --mount=type=secret instead`
    )
  }
  if (shown.length > 0) {
    log.warning(
      `The value of ${shown.map((name) => quote(name)).join(', ')} is not masked in the log: it is very short, or occurs in a tag, a branch or another name, and a mask would make outputs unreadable`
    )
  }
}

interface Ending {
  entry: Entry
  /** undefined if the run ended before its plan was complete. */
  plan: Plan | undefined
  result: RunResult
  spans: Span[]
  log: Log
  /** Path of the JSON report. */
  path: string
}

/** Sets the outputs, and writes annotations, the report and the summary. */
async function report({ entry, plan, result, spans, log, path }: Ending): Promise<void> {
  const made = makeReport(plan, result, spans, {
    ...(entry.part && { part: entry.part }),
    startedAt: performance.timeOrigin
  })
  const written = await writeFile(path, `${JSON.stringify(made, undefined, 2)}\n`).then(
    () => path,
    (error: unknown) => {
      log.warning(`The report could not be written: ${messageOf(error)}`)
      return ''
    }
  )
  // first, because the rest writes files, perhaps on a full disk
  if (plan && !result.cancelled) {
    const misses = annotateMisses(result, {
      file: plan.file,
      expected: plan.inputs.expectCache,
      publishes: plan.decision.publish
    })
    const checks = annotateWarnings(made.warnings, plan.file)
    for (const { message, place } of [...misses, ...checks.annotations]) log.warning(message, place)
    if (checks.rest !== undefined) log.info(checks.rest)
  }
  for (const { message, place } of annotateFailures(result, plan?.file)) log.error(message, place)
  if (result.failures.length > 0) process.exitCode = core.ExitCode.Failure
  try {
    const outputs = entry.outputs?.(made, written) ?? { ...makeOutputs(made, written) }
    for (const [name, value] of Object.entries(IS_ON_GITHUB ? outputs : {})) core.setOutput(name, value)
  } catch (error) {
    core.setFailed(`The outputs could not be written: ${messageOf(error)}`)
  }
  try {
    await declareArtifact(artifactOf(made))
  } catch (error) {
    log.warning(`The image could not be declared to other steps (GITHUB_ARTIFACTS): ${messageOf(error)}`)
  }
  try {
    await writeSummary(makeSummary(made))
  } catch (error) {
    log.warning(`The summary could not be written: ${messageOf(error)}`)
  }
  log.end()
}

async function declareArtifact(line: string): Promise<void> {
  if (process.env.GITHUB_ARTIFACTS && line !== '') await appendFile(process.env.GITHUB_ARTIFACTS, `${line}\n`)
}

async function writeSummary(summary: Block[]): Promise<void> {
  if (process.env.GITHUB_STEP_SUMMARY) await core.summary.addRaw(markdown(summary)).write()
  else if (!IS_ON_GITHUB) process.stdout.write(`\n${plainText(summary)}`)
}
