import { basename, dirname, resolve } from 'node:path'
import * as core from '@actions/core'
import type { AddedImages } from '../docker/added-images.ts'
import { at, list, parseJson, text } from '../lib/json.ts'

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

/** Saves what the run has added to the images of the engine so far; the last call counts. */
export function saveImages(images: AddedImages): void {
  core.saveState('images', JSON.stringify(images))
}

/** An image name as this action passes it to docker, which takes it for no option. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9._:/@-]*$/
const ID = /^sha256:[0-9a-f]{64}$/

/** Reads the saved images; leaves out what has not the form of `saveImages`. */
export function readImages(): AddedImages {
  const saved = parseJson(core.getState('images'))
  const ids = (value: unknown): string[] =>
    list(value)
      .map(text)
      .filter((id) => ID.test(id))
  const names = list(at(saved, 'names')).map((one) => {
    const before = text(at(one, 'before'))
    return { name: text(at(one, 'name')), before: ID.test(before) ? before : '', ids: ids(at(one, 'ids')) }
  })
  return { names: names.filter(({ name }) => NAME.test(name)), unnamed: ids(at(saved, 'unnamed')) }
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
