import { mkdir, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { UserError } from '../lib/errors.ts'
import { Timeline } from '../lib/timeline.ts'
import { joinPlatforms, whyOtherImage } from '../pipeline/join.ts'
import { findKeys } from '../pipeline/phases.ts'
import { runPipeline } from '../pipeline/pipeline.ts'
import { runPhases } from '../pipeline/run-phases.ts'
import type { Plan } from '../plan/plan.ts'
import { partOf } from '../plan/references.ts'
import type { Run } from '../plan/run-context.ts'
import { platformInTag } from '../registry/reserved-tags.ts'
import type { HandedPlatform } from '../result/hand-off.ts'
import { judgePlatforms, type ReadPlatform } from '../result/judge-platforms.ts'
import { buildsOf, emptyResult, type PlatformResult, type RunResult } from '../result/result.ts'
import type { Action } from './lifecycle.ts'
import { isNameOf, makePlan, type Planned, recordingDocker, runWith } from './run.ts'

/** Does the whole job for each platform in turn, and joins the images if all of them succeeded. */
export async function runPlatforms(action: Action): Promise<RunResult> {
  const parts = await planParts(action.inputs.platforms.map((platform) => actionFor(action, platform)))
  const whole = await makePlan(action)
  checkEngine(whole.plan)
  const plans = [whole, ...parts.map(({ planned }) => planned)].map(({ plan }) => plan)
  const docker = recordingDocker(action, isNameOf(plans))
  const result: RunResult = { ...emptyResult(), platforms: [], machines: [] }
  for (const { platform, own, planned } of parts) {
    action.log.info(`Platform ${platform}`)
    await mkdir(own.folder)
    const done = await runWith(own, planned, (run) => runPipeline({ ...run, mayStayUntested: true }), docker)
    result.machines?.push({ name: platform, startedAt: performance.timeOrigin, timeline: own.timeline.spans() })
    addPlatform(whole.plan, result, platform, done)
    // the others could not be published either
    if (done.failures.length > 0 || done.cancelled) break
  }
  refuseUntested(whole.plan, result)
  if (result.failures.length > 0 || result.cancelled) return result
  return runWith(action, whole, (run) => joinAll(run, result), docker)
}

/** The image of one platform in a run of several. */
interface Part {
  platform: string
  own: Action
  planned: Planned
}

async function planParts(actions: readonly Action[]): Promise<Part[]> {
  const parts: Part[] = []
  for (const own of actions) parts.push({ platform: own.inputs.platform ?? '', own, planned: await makePlan(own) })
  return parts
}

/** Returns the action as if it had the input `platform`. */
function actionFor(action: Action, platform: string): Action {
  const { inputs } = action
  const name = platformInTag(platform)
  const own = { ...inputs, platform, reportsDirectory: join(inputs.reportsDirectory, name) }
  return { ...action, timeline: new Timeline(), folder: join(action.folder, name), inputs: own }
}

/** @throws UserError if this engine cannot have the same image for several platforms */
function checkEngine({ engine, strategy }: Plan): void {
  if (engine.store === 'containerd' && strategy.client === 'buildx') return
  throw new UserError(
    `Input platforms has several platforms, and this engine cannot build them: Docker ${engine.version} with the ${engine.store} store has images of one platform only; switch on the containerd image store (docs.docker.com/engine/storage/containerd), or let one job build each platform (input platform) and join them with the action publish`
  )
}

function addPlatform({ inputs }: Plan, result: RunResult, platform: string, done: RunResult): void {
  const { builder, cacheStages, production, tests, unchanged, pullSize, cacheTags, failures, publication } = done
  const missing = inputs.tests.length + inputs.productionTests.length + inputs.checks.length - tests.length
  const untested =
    missing > 0 && failures.length === 0
      ? `${missing} ${missing === 1 ? 'test' : 'tests'} did not run on ${platform}, because this engine cannot run it`
      : undefined
  const one: PlatformResult = {
    ...{ platform, digest: publication?.digest ?? '', cacheStages, tests, cacheTags, failures },
    ...(builder && { builder }),
    ...(production && { production }),
    ...(unchanged && { unchanged }),
    ...(pullSize && { pullSize }),
    ...(untested !== undefined && { untested })
  }
  result.platforms?.push(one)
  result.cancelled ||= done.cancelled
  result.failures.push(...failures.map((_, index) => ({ kind: 'platform', platform, index }) as const))
}

/** Adds a failure if no platform was tested at all. */
function refuseUntested({ inputs }: Plan, { platforms = [], failures }: RunResult): void {
  const wanted = inputs.tests.length + inputs.productionTests.length
  if (wanted === 0 || failures.length > 0 || platforms.some(({ tests }) => tests.length > 0)) return
  const message =
    'No test ran, because this engine can run none of the platforms, so nothing is published; use a runner of one of them, or set up emulation (docker/setup-qemu-action)'
  failures.push({ kind: 'error', message })
}

async function joinAll(run: Run, result: RunResult): Promise<RunResult> {
  const joined = await runPhases(run, (_, own) => joinPlatforms(run, result.platforms ?? [], own))
  const { publication, failures, cancelled } = joined
  return {
    ...result,
    cancelled: result.cancelled || cancelled,
    failures: [...result.failures, ...failures],
    ...(publication && { publication })
  }
}

/**
 * Joins the images that other machines made of single platforms. Which ones there must be, and which tests must have passed, it
 * knows from its own checkout and inputs.
 */
export async function joinHanded(action: Action, results: readonly ReadPlatform[]): Promise<RunResult> {
  const { inputs } = action
  const { timeline, folder } = action
  const owns = inputs.platforms.map((platform) => ({ ...actionFor(action, platform), timeline, folder }))
  const parts = await planParts(owns)
  const whole = await makePlan(action)
  const { plan } = whole
  const { tests, productionTests, checks, platforms } = inputs
  const expected = {
    ...{ runId: process.env.GITHUB_RUN_ID ?? '', commit: plan.commit.sha, image: inputs.image, platforms },
    ...{ variant: plan.variant, buildArgs: plan.buildArgs },
    tests: [
      ...tests.map(({ command }) => ({ command })),
      ...productionTests.map(({ command }) => ({ kind: 'production-test' as const, command })),
      ...checks.map(({ command }) => ({ kind: 'check' as const, command }))
    ]
  }
  if (!plan.decision.push) {
    action.log.notice('Nothing is joined, because this run may not push: no job has pushed the image of its platform')
    return emptyResult()
  }
  const judged = judgePlatforms(expected, results)
  const result = resultOf(judged.platforms)
  result.failures.push(...judged.problems.map((message) => ({ kind: 'error', message }) as const))
  // nothing is trusted that does not agree with the registry
  for (const { platform, own, planned } of result.failures.length > 0 ? [] : parts) {
    const digest = judged.platforms.find((one) => one.platform === platform)?.digest ?? ''
    const looked = await runWith(own, planned, (run) =>
      runPhases(run, async (_, { failures }) => {
        // the job of the platform ran on a machine of that platform
        const plan = { ...run.plan, engine: { ...run.plan.engine, platform } }
        const why = await whyOtherImage(run, digest, (await findKeys({ ...run, plan })).keys)
        if (why !== undefined) {
          const message = `The image of ${platform} that was handed on cannot be published: ${why}; run all jobs again`
          failures.push({ kind: 'error', message })
        }
      })
    )
    result.failures.push(...looked.failures)
    result.cancelled ||= looked.cancelled
  }
  if (result.failures.length > 0 || result.cancelled) return result
  return runWith(action, whole, (run) => joinAll(run, result))
}

function resultOf(handed: readonly HandedPlatform[]): RunResult {
  const platforms = handed.map((one): PlatformResult => {
    const { platform, digest, tests, unchanged, cacheTags, pullSize, builds } = one
    const [builder] = builds.filter(({ kind }) => kind === 'builder')
    const [production] = builds.filter(({ kind }) => kind === 'production')
    const cacheStages = builds.filter(({ kind }) => kind === 'cache')
    return {
      ...{ platform, digest, tests, cacheTags, cacheStages, failures: [] },
      ...(builder && { builder }),
      ...(production && { production }),
      ...(unchanged && { unchanged }),
      ...(pullSize && { pullSize })
    }
  })
  const machines = handed.map(({ platform, startedAt, timeline }) => ({ name: platform, startedAt, timeline }))
  return { ...emptyResult(), platforms, machines }
}

/** Writes what the run that joins the platforms needs, if this one has pushed the image of a single platform. */
export async function handPlatformOn(action: Action, plan: Plan, result: RunResult): Promise<RunResult> {
  const { secrets, timeline, runId } = action
  const platform = partOf(plan.inputs)
  const digest = result.publication?.digest ?? ''
  if (platform === undefined || digest === '' || result.failures.length > 0) return result
  const { tests, unchanged, cacheTags, pullSize } = result
  const machine = process.env.RUNNER_NAME || hostname()
  const handed: HandedPlatform = {
    version: 1,
    runId: process.env.GITHUB_RUN_ID ?? '',
    attempt: Number(process.env.GITHUB_RUN_ATTEMPT) || 1,
    ...{ commit: plan.commit.sha, image: plan.inputs.image, variant: plan.variant, buildArgs: plan.buildArgs },
    ...{ platform: platform.toLowerCase(), digest, cacheTags },
    tests: secrets.redactTexts(tests.map(({ imageId: _, ...test }) => ({ machine, ...test }))),
    ...(unchanged && { unchanged }),
    ...(pullSize && { pullSize }),
    startedAt: performance.timeOrigin,
    builds: secrets.redactTexts(buildsOf(result)),
    timeline: secrets.redactTexts(timeline.spans())
  }
  const folder = join(process.env.RUNNER_TEMP || tmpdir(), `shared-docker-layers-platform-${runId}`)
  await mkdir(folder)
  await writeFile(join(folder, `platform-${platformInTag(platform)}.json`), `${JSON.stringify(handed)}\n`)
  return { ...result, platformResult: folder }
}
