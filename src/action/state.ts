import { basename, dirname, resolve } from 'node:path'
import * as core from '@actions/core'

/** What the post step must know to remove what the main step made. */
export interface State {
  /** Names our containers: the value of their label. */
  runId: string
  /** Our temporary folder. */
  folder: string
}

const FOLDER_PREFIX = 'shared-docker-layers-'

/** The temporary folder of a run, directly below the runner's own. */
export function folderOf(runId: string, temp: string): string {
  return resolve(temp, `${FOLDER_PREFIX}${runId}`)
}

export function saveState(state: State): void {
  core.saveState('run-id', state.runId)
  core.saveState('folder', state.folder)
}

/**
 * The saved state; undefined if the main step saved none, or if it is not what we save: build output could forge it
 * with `::save-state`, and what it names is deleted.
 */
export function readState(temp: string): State | undefined {
  const state = { runId: core.getState('run-id'), folder: core.getState('folder') }
  if (!/^[0-9a-f-]{36}$/.test(state.runId)) return undefined
  const ours = dirname(state.folder) === resolve(temp) && basename(state.folder) === `${FOLDER_PREFIX}${state.runId}`
  return ours ? state : undefined
}
