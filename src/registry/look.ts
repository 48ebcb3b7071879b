import { describeLateness, timeOf } from '../lib/bounds.ts'
import { within } from '../lib/within.ts'
import type { ReadImage } from './image.ts'
import type { Registry } from './registry.ts'

/** Inspects a published image for work that a run can do without: the run waits for it, with its retries, no longer than the bound. */
export async function look(registry: Pick<Registry, 'published'>, reference: string): Promise<ReadImage> {
  const read = await within(timeOf('look'), registry.published(reference))
  return read ?? { failure: { kind: 'unreachable', message: describeLateness('look') } }
}
