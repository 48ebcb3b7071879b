import fc from 'fast-check'
import type { Fault, FaultKind } from './faults.ts'

/** The faults that a run of the action meets, and the result to expect. */
export interface FaultSchedule {
  faults: Fault[]
  /** Whether the commit's test passes. */
  testPasses: boolean
  /** `transient`: no more transient errors than retries; `refused`: every push fails; `mixed`: any faults. */
  nature: 'transient' | 'refused' | 'mixed'
}

/** The default of the action's input `retries`. */
const RETRIES = 3

/** More requests than a run makes. */
const FOR_EVER = 1_000_000

const SHORT_SHA = '[0-9a-f]{7}'

/** The requests of a run, by purpose. */
const reads = [
  { method: 'GET|HEAD', path: '/manifests/(builder|latest)$' },
  { method: 'GET|HEAD', path: '/manifests/sha256:' },
  { method: 'GET', path: '/blobs/sha256:' },
  { method: 'GET|HEAD', path: '^/v2/base/.*/manifests/' }
] as const
const uploads = [
  { method: 'HEAD', path: '/blobs/sha256:' },
  { method: 'POST', path: '/blobs/uploads/' },
  { method: 'PATCH', path: '/blobs/uploads/' },
  { method: 'PUT', path: '/blobs/uploads/' }
] as const
const tags = [SHORT_SHA, 'builder-next', 'builder', 'latest'].map((tag) => ({
  method: 'PUT',
  path: `/manifests/${tag}$`
}))
const pushes = { method: 'POST|PATCH|PUT', path: '/(manifests|blobs/uploads)/' }

/** Transient errors: the same request may succeed later. */
const passing: FaultKind[] = ['429', '500', '502', '503', 'reset-request', 'reset-response', 'stall', 'slow']
/** Permanent errors: somebody must repair something. */
const lasting: FaultKind[] = ['expired-token', 'wrong-credentials', 'denied', 'unknown-repository', 'disk-full']

/** @param most maximum number of requests that meet the fault */
function fault(kinds: FaultKind[], most: number): fc.Arbitrary<Fault> {
  return fc
    .record({
      kind: fc.constantFrom(...kinds),
      target: fc.oneof(
        { weight: 2, arbitrary: fc.constantFrom(...reads) },
        // rarely: docker itself retries layers, which takes most of a minute
        { weight: 1, arbitrary: fc.constantFrom(...uploads) },
        { weight: 4, arbitrary: fc.constantFrom(...tags) }
      ),
      skip: fc.constantFrom(0, 0, 0, 1, 2),
      times: fc.integer({ min: 1, max: most }),
      milliseconds: fc.integer({ min: 200, max: 1_500 }),
      bytes: fc.integer({ min: 1, max: 16_384 })
    })
    .map(({ target, ...rest }) => ({ ...rest, ...target }))
}

/** All faults together may hit one request and its retries, so their number is at most that of the retries. */
const transient = fc
  .array(fault(passing, RETRIES), { minLength: 1, maxLength: RETRIES })
  .map((faults) => faults.filter((_, index) => sum(faults.slice(0, index + 1)) <= RETRIES))

function sum(faults: Fault[]): number {
  return faults.reduce((total, { times }) => total + times, 0)
}

const refused = fc
  .constantFrom(...passing.filter((kind) => kind !== 'slow'), ...lasting)
  .map((kind) => [{ kind, ...pushes, skip: 0, times: FOR_EVER, milliseconds: 500 }])

const mixed = fc
  .tuple(
    fault([...passing, ...lasting], 1).map((one) => ({ ...one, skip: 0, times: FOR_EVER })),
    fc.array(fault([...passing, ...lasting], RETRIES + 1), { maxLength: 3 })
  )
  .map(([permanent, others]) => [permanent, ...others])

const schedules: fc.Arbitrary<FaultSchedule> = fc
  .record({
    what: fc.oneof(
      { weight: 4, arbitrary: transient.map((faults) => ({ nature: 'transient' as const, faults })) },
      { weight: 1, arbitrary: refused.map((faults) => ({ nature: 'refused' as const, faults })) },
      { weight: 5, arbitrary: mixed.map((faults) => ({ nature: 'mixed' as const, faults })) }
    ),
    testPasses: fc.nat({ max: 4 }).map((number) => number !== 0)
  })
  .map(({ what, testPasses }) => ({ ...what, testPasses }))

/** Returns the same schedule for the same seed, on every machine. */
export function faultSchedule(seed: number): FaultSchedule {
  const [schedule] = fc.sample(schedules, { seed, numRuns: 1 })
  if (!schedule) throw new Error(`There is no schedule for seed ${seed}.`)
  return schedule
}
