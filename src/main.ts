import * as core from '@actions/core'

/** The main step. */
export async function run(): Promise<void> {
  core.info('not written yet')
}
