import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import * as core from '@actions/core'
import { readState } from '../action/state.ts'
import { removeContainers } from '../docker/containers.ts'
import { DockerCli } from '../docker/docker.ts'
import { childEnvironment } from '../docker/environment.ts'
import { messageOf } from '../lib/errors.ts'
import { harmless } from '../lib/text.ts'
import { Timeline } from '../lib/timeline.ts'

await cleanUp()

/** Runs the post step: removes everything that a killed main step left behind. Never fails the job. */
async function cleanUp(): Promise<void> {
  const state = readState(process.env.RUNNER_TEMP || tmpdir())
  if (!state) return
  const left = await removeContainers(new DockerCli(childEnvironment(process.env), new Timeline()), state.runId)
  if (left !== undefined) core.info(`Cannot remove all containers: ${harmless(left)}`)
  try {
    await rm(state.folder, { recursive: true, force: true })
  } catch (error) {
    core.info(`Temporary files could not be removed: ${harmless(messageOf(error))}`)
  }
}
