import { replayable } from '../engine/args.ts'
import { lastLine } from '../engine/docker.ts'
import { CancelledError } from '../errors.ts'
import { describeFailedPush } from '../registry-error.ts'
import { type Publication, type Run, secondsSince } from '../run.ts'

/**
 * Pushes the commit's tag first, then the further tags, and the moving tags last: whatever a moving tag names can also be
 * had by its commit. Pushes that need no order overlap. After a failure or a cancellation nothing further is pushed.
 */
export async function publish(run: Run): Promise<Publication> {
  const { refs, decision } = run.plan
  const { signal } = run
  const start = performance.now()
  const publication: Publication = { pushed: [], published: false, digest: '', seconds: 0, failures: [] }
  const waves = [
    [refs.production],
    refs.further,
    ...(decision.publish ? [[refs.movingBuilder, refs.movingProduction]] : [])
  ]
  for (const wave of waves) {
    const pushes = await Promise.allSettled(wave.map((reference) => push(run, reference)))
    for (const [index, outcome] of pushes.entries()) {
      if (outcome.status === 'rejected') {
        if (outcome.reason instanceof CancelledError) continue
        throw outcome.reason
      }
      const { failure, digest } = outcome.value
      const reference = wave[index] ?? ''
      if (failure !== undefined) publication.failures.push(failure)
      else publication.pushed.push(reference)
      if (reference === refs.production) publication.digest = digest
    }
    if (publication.failures.length > 0 || signal.aborted) break
  }
  publication.published = [refs.movingBuilder, refs.movingProduction].every((ref) => publication.pushed.includes(ref))
  publication.seconds = secondsSince(start)
  return publication
}

async function push({ docker, log, signal }: Run, reference: string): Promise<{ digest: string; failure?: string }> {
  const args = ['push', reference]
  const section = log.section(`Push ${reference}`)
  section.write(`${replayable(args)}\n`)
  try {
    const { exitCode, stdout, stderr } = await docker.call(args, {
      signal,
      onOutput: (chunk) => section.write(chunk)
    })
    // the engine's own last line, the same since Docker 1.6 (moby/moby daemon/internal/distribution/push_v2.go)
    const digest = /digest: (sha256:[0-9a-f]{64}) size: \d+/.exec(stdout)?.[1] ?? ''
    if (exitCode === 0) return { digest }
    return { digest: '', failure: describeFailedPush(reference, lastLine(stderr) || `exit code ${exitCode}`) }
  } finally {
    section.end()
  }
}
