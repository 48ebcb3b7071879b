import { show } from '../lib/text.ts'
import type { Plan } from './plan.ts'

/** Maximum number of files in the plan and the report. */
export const MOST_DIRTY_FILES = 20

/** Maximum number of files in a sentence. */
const MOST_NAMED = 5

/** Returns one sentence, without a full stop, on files that an image of this commit has otherwise. */
export function describeDirty(shortSha: string, { files, count }: NonNullable<Plan['dirty']>): string {
  const named = files.slice(0, MOST_NAMED)
  const rest = count > named.length ? ` and ${count - named.length} more` : ''
  const number = count === 1 ? '1 tracked file' : `${count} tracked files`
  return `The build context differs from commit ${shortSha} in ${number}: ${named.map(show).join(', ')}${rest}`
}
