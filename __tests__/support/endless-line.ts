/**
 * A program that has the docker on its PATH print, and prints how many bytes it got. Its argument says how they are read: they are
 * passed on, captured, or read by @actions/exec alone.
 */
import { exec } from '@actions/exec'
import { DockerCli } from '../../src/docker/docker.ts'
import { Timeline } from '../../src/lib/timeline.ts'

let bytes = 0
const onOutput = (chunk: Buffer): void => {
  bytes += chunk.length
}
const docker = new DockerCli({ PATH: process.env.PATH ?? '' }, new Timeline())
switch (process.argv[2]) {
  case 'passed on':
    await docker.call(['run'], { bound: 'test', capture: false, onOutput })
    break
  case 'captured':
    await docker.call(['run'], { bound: 'test', capture: true, onOutput })
    break
  case 'by @actions/exec':
    await exec('docker', ['run'], { silent: true, listeners: { stdout: onOutput } })
}
process.stdout.write(String(bytes))
