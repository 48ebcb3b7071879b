import { basename, dirname, resolve } from 'node:path'
import * as core from '@actions/core'

/** Data that the post step needs to remove everything that the main step created. */
export interface State {
  /** The value of the label on the run's containers. */
  runId: string
  /** The temporary folder of the run. */
  folder: string
}

const FOLDER_PREFIX = 'shared-docker-layers-'

/** Returns the temporary folder of a run, directly below the runner's own. */
export function folderOf(runId: string, temp: string): string {
  return resolve(temp, `${FOLDER_PREFIX}${runId}`)
}

export function saveState(state: State): void {
  core.saveState('run-id', state.runId)
  core.saveState('folder', state.folder)
}

/**
 * Reads the saved state. Returns undefined if the main step saved none, or if its format is not that of `saveState`: build
 * output could forge it with `::save-state`, and the post step deletes what it names.
 */
export function readState(temp: string): State | undefined {
  const state = { runId: core.getState('run-id'), folder: core.getState('folder') }
  if (!/^[0-9a-f-]{36}$/.test(state.runId)) return undefined
  const ours = dirname(state.folder) === resolve(temp) && basename(state.folder) === `${FOLDER_PREFIX}${state.runId}`
  return ours ? state : undefined
}
