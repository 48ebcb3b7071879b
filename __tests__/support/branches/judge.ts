import type { Outcome } from '../../../testbed/runner.ts'
import { annotations, short } from '../harness.ts'
import type { Moment, Writes } from './chains.ts'

/** What a stored RUN is known by. */
export interface Built {
  sha: string
  branch: string
  /** The stamp, as soon as an image has shown it. */
  stamp?: string
}

/** Bytes of all that a run transfers if it transfers no layer; the base image alone has several times as many. */
const NO_LAYER = 100_000

const CACHE_TAG = /^cache-[0-9a-f]{16}$/
const TESTED_TAG = /^tested-[0-9a-f]{16}$/
const MOVING_TAGS = ['builder', 'latest', 'worker-builder', 'worker']

/** Judges the tags that a run added or moved. */
export function judgeWritten(
  { writes }: Moment,
  sha: string,
  written: string[],
  after: Map<string, string>,
  { outputs }: Outcome
): string[] {
  const moving = written.filter((tag) => MOVING_TAGS.some((name) => tag === name || tag === `${name}-next`))
  const cache = written.filter((tag) => CACHE_TAG.test(tag))
  const tested = written.filter((tag) => TESTED_TAG.test(tag))
  const added = [...cache, ...tested]
  const others = written.filter((tag) => ![...moving, ...added].includes(tag))
  const allowed: Record<Writes, string[]> = {
    nothing: [],
    'cache tags': cache,
    'commit tags': [...added, ...others],
    'moving tags': written
  }
  const known = [short(sha), 'v1', 'pr-1', 'latest-cache', 'worker-cache']
  const told = String(outputs['cache-tags'])
    .split('\n')
    .filter((reference) => reference !== '')
    .map((reference) => reference.slice(reference.lastIndexOf(':') + 1))
  const digests = ['latest', 'worker'].map((tag) => after.get(tag))
  return [
    ...written.filter((tag) => !allowed[writes].includes(tag)).map((tag) => `it wrote the tag ${tag}`),
    ...others.filter((tag) => !known.includes(tag)).map((tag) => `it wrote the unknown tag ${tag}`),
    ...(writes === 'cache tags' && cache.length === 0 ? ['it wrote no cache tag'] : []),
    ...(writes.endsWith('t tags') && !after.has(short(sha)) ? ['its commit tag is missing'] : []),
    ...(writes === 'moving tags' && !digests.includes(outputs.digest) ? ['no moving tag names its image'] : []),
    ...(told.length === added.length && told.every((tag) => added.includes(tag))
      ? []
      : [`the output cache-tags says [${told}], but it wrote [${added}]`])
  ]
}

export function judgeWarnings({ warns }: Moment, outcome: Outcome): string[] {
  const warnings = annotations(outcome, 'warning')
  const unexpected = warnings.filter((text) => warns === undefined || !text.startsWith(`::warning::${warns}`))
  return warns === undefined || warnings.length === 1 ? unexpected : [`it does not warn: ${warns}`, ...unexpected]
}

export function judgeTests({ fails, reuses }: Moment, { outputs }: Outcome): string[] {
  const expected = fails ? 'failed' : reuses ? 'unchanged' : 'passed'
  const tests = JSON.parse(String(outputs.tests || '[]')) as { status: string }[]
  return tests.length === 1 && tests[0]?.status === expected
    ? []
    : [`the tests are [${tests.map(({ status }) => status).join(', ')}] instead of [${expected}]`]
}

export function judgeReuse({ report }: Outcome, traffic: { pulled: number; pushed: number }): string[] {
  const { builder, production } = report as Record<'builder' | 'production', unknown>
  return [
    ...(builder === undefined && production === undefined ? [] : ['it built something']),
    ...Object.entries(traffic).flatMap(([way, bytes]) => (bytes < NO_LAYER ? [] : [`it ${way} ${bytes} bytes`]))
  ]
}

/** Judges whether a run says where the builder stage's cache comes from. */
export function judgeOrigin({ report, log, summary }: Outcome, origin: Built | undefined): string[] {
  const { builder } = report as { builder?: { cacheOrigin?: { commit: string; branch: string } } }
  if (builder === undefined) return ['it built nothing']
  const { cacheOrigin } = builder
  if (origin === undefined) return cacheOrigin === undefined ? [] : [`an origin of the cache: ${cacheOrigin.commit}`]
  const { sha, branch } = origin
  const sentence = `Cache source of stage builder: layers of commit ${short(sha)} of branch "${branch}"`
  return [
    ...(cacheOrigin?.commit === sha && cacheOrigin.branch === branch
      ? []
      : [`the cache comes from ${JSON.stringify(cacheOrigin)} instead of ${JSON.stringify({ sha, branch })}`]),
    ...(log.includes(sentence) ? [] : [`the log does not say: ${sentence}`]),
    ...(summary.includes(sentence) ? [] : [`the summary does not say: ${sentence}`])
  ]
}
