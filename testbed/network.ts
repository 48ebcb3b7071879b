import { existsSync } from 'node:fs'
import { run } from './process.ts'

/** The largest number of a test bed, and of an agent in it: both are bytes of an address. */
export const maxNumber = 250

/** Name of the bridge of a test bed. */
export function bridgeName(bed: number): string {
  return `sdl${bed}`
}

export function bridgeAddress(bed: number): string {
  return `10.213.${bed}.1`
}

/** A second address of the bridge, which clients see as another host. */
export function secondAddress(bed: number): string {
  return `10.213.${bed}.254`
}

/** Name of the network namespace of an agent. */
export function namespaceName(bed: number, agent: number): string {
  return `sdl${bed}-${agent}`
}

function vethName(bed: number, agent: number): string {
  return `sdl${bed}v${agent}`
}

/** Creates the bridge of a test bed; returns false if the name is taken. */
export async function createBridge(bed: number): Promise<boolean> {
  const name = bridgeName(bed)
  // Set the address: otherwise a bridge uses that of a port, and changes it when agents come and go.
  const mac = `02:53:44:4c:00:${bed.toString(16).padStart(2, '0')}`
  if (existsSync(`/sys/class/net/${name}`)) return false
  await ip(['link', 'add', name, 'address', mac, 'type', 'bridge'])
  for (const address of [bridgeAddress(bed), secondAddress(bed)]) {
    await ip(['address', 'add', `${address}/24`, 'dev', name])
  }
  await ip(['link', 'set', name, 'up'])
  return true
}

/** Creates a namespace that can reach only the bridge of its test bed, over a link of `linkMbit` Mbit/s each way. */
export async function createNamespace(bed: number, agent: number, linkMbit?: number): Promise<void> {
  const namespace = namespaceName(bed, agent)
  const veth = vethName(bed, agent)
  await ip(['netns', 'add', namespace])
  await ip(['link', 'add', veth, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace])
  await ip(['link', 'set', veth, 'master', bridgeName(bed), 'up'])
  await ip(['-n', namespace, 'link', 'set', 'lo', 'up'])
  await ip(['-n', namespace, 'address', 'add', `10.213.${bed}.${agent + 1}/24`, 'dev', 'eth0'])
  await ip(['-n', namespace, 'link', 'set', 'eth0', 'up'])
  // Turn this limit off: otherwise the kernel answers refused name lookups only once a second.
  const unlimited = ['sh', '-c', 'echo 0 > /proc/sys/net/ipv4/icmp_ratelimit']
  await run('nsenter', [`--net=/run/netns/${namespace}`, '--', ...unlimited])
  if (linkMbit === undefined) return
  // The bucket holds 2 ms of traffic, but at least 128 KiB: room for a 64 KiB segment.
  const burst = Math.max(128 * 1024, Math.round((linkMbit * 1e6 * 0.002) / 8))
  const shape = ['root', 'tbf', 'rate', `${linkMbit}mbit`, 'burst', `${burst}`, 'latency', '50ms']
  await run('tc', ['qdisc', 'add', 'dev', veth, ...shape])
  await run('tc', ['-n', namespace, 'qdisc', 'add', 'dev', 'eth0', ...shape])
}

/** The numbers of the agents of a test bed that still have a namespace or a link. */
export async function agentNumbers(bed: number): Promise<number[]> {
  const [namespaces, links] = await Promise.all([
    run('ip', ['netns', 'list']),
    run('ip', ['-brief', 'link', 'show', 'type', 'veth'])
  ])
  const names = `${namespaces.stdout}\n${links.stdout}`.split('\n')
  const pattern = new RegExp(`^${bridgeName(bed)}[-v](\\d+)\\b`)
  return [...new Set(names.map((name) => pattern.exec(name)?.[1]).filter((found) => found !== undefined))].map(Number)
}

/** The processes in the namespace of an agent. */
export async function namespaceProcesses(bed: number, agent: number): Promise<number[]> {
  const { stdout } = await run('ip', ['netns', 'pids', namespaceName(bed, agent)], { allowFailure: true })
  return stdout.split('\n').filter(Boolean).map(Number)
}

export async function removeNamespace(bed: number, agent: number): Promise<void> {
  // Remove the link first: the kernel deletes a namespace, and its link, only later.
  await ip(['link', 'delete', vethName(bed, agent)], true)
  await ip(['netns', 'delete', namespaceName(bed, agent)], true)
}

export async function removeBridge(bed: number): Promise<void> {
  await ip(['link', 'delete', bridgeName(bed)], true)
}

async function ip(args: string[], allowFailure = false): Promise<boolean> {
  return (await run('ip', args, { allowFailure })).exitCode === 0
}
