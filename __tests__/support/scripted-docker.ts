import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from '@jest/globals'
import { DockerCli } from '../../src/docker/docker.ts'
import { Timeline } from '../../src/lib/timeline.ts'

/** For the tests of the file that calls it: makes a docker that is a shell script. */
export function scriptedDocker(): (script: string) => DockerCli {
  let folder: string
  const path = process.env.PATH ?? ''

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'docker-'))
  })
  afterEach(() => {
    process.env.PATH = path
    rmSync(folder, { recursive: true })
  })

  return (script) => {
    writeFileSync(join(folder, 'docker'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    // @actions/exec looks for it on the PATH of its own process
    process.env.PATH = `${folder}:${path}`
    return new DockerCli({ PATH: path }, new Timeline())
  }
}
