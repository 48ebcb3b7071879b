import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import * as core from '@actions/core'
import { readImages, readState } from '../action/state.ts'
import { removeAddedImages } from '../docker/added-images.ts'
import { removeContainers } from '../docker/containers.ts'
import { DockerCli } from '../docker/docker.ts'
import { childEnvironment } from '../docker/environment.ts'
import { messageOf } from '../lib/errors.ts'
import { harmless } from '../lib/text.ts'
import { Timeline } from '../lib/timeline.ts'

await cleanUp()

/** Runs the post step: removes everything that a killed main step left behind, and the images that it added. Never fails the job. */
async function cleanUp(): Promise<void> {
  const state = readState(process.env.RUNNER_TEMP || tmpdir())
  if (!state) return
  const docker = new DockerCli(childEnvironment(process.env), new Timeline())
  const left = await removeContainers(docker, state.runId)
  if (left !== undefined) core.info(`Cannot remove all containers: ${harmless(left)}`)
  try {
    await rm(state.folder, { recursive: true, force: true })
  } catch (error) {
    core.info(`Temporary files could not be removed: ${harmless(messageOf(error))}`)
  }
  const images = await removeAddedImages(docker, readImages())
  if (images.removed.length > 0) core.info(`Removed from the engine: ${harmless(images.removed.join(', '))}`)
  for (const why of images.left) core.info(`Cannot remove an image: ${harmless(why)}`)
}
