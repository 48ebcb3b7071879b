import type { ExecResult, Stream } from '../lib/exec.ts'
import type { Log } from '../lib/log.ts'
import type { Timeline } from '../lib/timeline.ts'
import { replayable } from './command-line.ts'
import type { CallOptions, Docker } from './docker.ts'
import { TransferProgress } from './progress/transfer.ts'

/**
 * Runs a docker command that transfers images. Docker waits for ever if a registry accepts its request and does not answer (seen on
 * 20.10 to 28.5). It reports only complete layers, so the bound must suffice for the largest layer.  Its section in the log
 * and its span in the timeline have the title `title`.
 */
export async function callInSection(
  { docker, log, timeline }: { docker: Docker; log: Log; timeline: Timeline },
  kind: 'fetch' | 'publish',
  title: string,
  args: readonly string[],
  signal: AbortSignal,
  { sets }: Pick<CallOptions, 'sets'> = {}
): Promise<ExecResult> {
  const section = log.section(title)
  section.write(`${replayable(args)}\n`)
  const progress = new TransferProgress((text) => section.write(text))
  try {
    const options = {
      ...{
        signal,
        bound: 'transfer' as const,
        onOutput: (chunk: Buffer, stream: Stream) => progress.write(chunk, stream)
      },
      ...(sets && { sets })
    }
    return await timeline.measure(kind, title, () => docker.call(args, options))
  } finally {
    progress.end()
    section.end()
  }
}
