import { removeContainer } from '../docker/containers.ts'
import type { Suite, TestRun } from './suites.ts'
import { testArgs } from './test-args.ts'

/** Returns the platform of the image: a builder stage may be of the engine's own although the input `platform` names another. */
export async function platformOf({ plan, docker, signal }: TestRun, { image }: Suite): Promise<string | undefined> {
  const { platform } = plan.inputs
  if (platform === undefined) return undefined
  const args = ['image', 'inspect', '--format', '{{.Os}}/{{.Architecture}}', image]
  const { exitCode, stdout } = await docker.call(args, { signal, bound: 'image' })
  const [os, architecture] = platform.split('/')
  const own = stdout.trim()
  // the variant is in the input only
  return exitCode !== 0 || own === `${os}/${architecture}` || !/^\w+\/\w+$/.test(own) ? platform : own
}

/** Returns whether the engine can run programs of an image: by itself, by emulation, or because they are of another platform than it says. */
export async function canRun(
  { docker, runId, signal }: TestRun,
  { image, first }: Suite,
  platform: string
): Promise<boolean> {
  const name = `shared-docker-layers-${runId}-trial-${first}`
  const inputs = { testOptions: [], platform }
  const args = testArgs(inputs, image, { command: 'true', options: [] }, name, runId)
  const { stdout, stderr } = await docker.call(args, { bound: 'container', signal })
  await removeContainer(docker, name, signal)
  // the kernel's word for a program that it cannot run (ENOEXEC), which runc passes on
  return !/exec format error/i.test(stdout + stderr)
}

/** Says that tests do not run, and what to do. */
export function describeUntested({ kind, tests }: Suite, platform: string): string {
  const what = `${tests.length} ${kind?.replace('-', ' ') ?? 'test'}${tests.length === 1 ? '' : 's'}`
  return `Not tested: this engine cannot run ${platform}, so ${what} did not run; use a runner of that platform, or set up emulation (docker/setup-qemu-action)`
}
