import semver from 'semver'
import { UserError } from '../lib/errors.ts'
import { quote } from '../lib/text.ts'
import type { Docker } from './docker.ts'
import { lastLine } from './errors.ts'

/** Properties of the engine, from `docker info`. */
export interface EngineInfo {
  version: string
  /** `containerd`, or the name of the graph driver: overlay2, vfs, … */
  store: string
  /** Version of the client's buildx plugin; undefined if it has none. */
  buildx: string | undefined
  /** Name of the client's docker context, which is also the name of the buildx builder inside the engine. */
  context: string
  /** The platform of images that it builds and runs unless told otherwise: os/arch in Go's words; undefined for an unknown machine. */
  platform: string | undefined
  /** Registries that the engine may access without TLS or with any certificate: host[:port], and address ranges in CIDR notation. */
  insecure: { hosts: string[]; ranges: string[] }
}

/**
 * Reads the properties of the engine.
 *
 * @throws UserError if docker or the engine is missing, its use is not permitted, or it runs Windows containers
 */
export async function readEngineInfo(docker: Docker, signal?: AbortSignal): Promise<EngineInfo> {
  const { exitCode, stdout, stderr } = await docker.call(['info', '--format', '{{json .}}'], {
    bound: 'engine',
    ...(signal && { signal })
  })
  const info = parseInfo(stdout)
  const complaint = [...(info?.ServerErrors ?? []), stderr.trim()].find((text) => text !== '')
  if (!info?.ServerVersion) {
    throw new UserError(
      `The Docker engine does not answer (${complaint ?? `docker info ended with exit code ${exitCode}`}); start it, or check DOCKER_HOST, the docker context and the permissions of its socket`
    )
  }
  if (info.OSType !== 'linux') {
    throw new UserError(
      `The Docker engine runs ${info.OSType} containers; this action needs Linux containers, as on ubuntu-latest`
    )
  }
  const driverType = info.DriverStatus?.find(([name]) => name === 'driver-type')?.[1]
  return {
    version: info.ServerVersion,
    store: driverType?.startsWith('io.containerd.snapshotter') ? 'containerd' : info.Driver,
    buildx: info.ClientInfo?.Plugins?.find(({ Name }) => Name === 'buildx')?.Version,
    context: info.ClientInfo?.Context || 'default',
    platform: platformOf(info),
    insecure: {
      hosts: Object.entries(info.RegistryConfig?.IndexConfigs ?? {}).flatMap(([name, index]) =>
        index.Secure === false ? [name] : []
      ),
      ranges: info.RegistryConfig?.InsecureRegistryCIDRs ?? []
    }
  }
}

/** Go's names of machines as `uname -m` calls them (github.com/containerd/platforms, database.go). */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  amd64: 'amd64',
  aarch64: 'arm64',
  arm64: 'arm64',
  armv7l: 'arm/v7',
  riscv64: 'riscv64',
  ppc64le: 'ppc64le',
  s390x: 's390x'
}

function platformOf({ OSType, Architecture = '' }: Info): string | undefined {
  const architecture = ARCHITECTURES[Architecture]
  return architecture === undefined ? undefined : `${OSType}/${architecture}`
}

/** Used fields of `docker info --format '{{json .}}'`: moby/moby api/types/system/info.go, api/types/registry, docker/cli cli/command/system/info.go. */
interface Info {
  ServerVersion?: string
  ServerErrors?: string[]
  OSType: string
  Architecture?: string
  Driver: string
  DriverStatus?: [string, string][] | null
  RegistryConfig?: {
    InsecureRegistryCIDRs?: string[] | null
    IndexConfigs?: Record<string, { Secure?: boolean }> | null
  }
  ClientInfo?: { Context?: string; Plugins?: { Name: string; Version?: string }[] | null }
}

function parseInfo(text: string): Info | undefined {
  try {
    return JSON.parse(text) as Info
  } catch {
    return undefined
  }
}

/**
 * Reads the driver of a buildx builder: docker, docker-container, kubernetes, remote, cloud.
 *
 * @throws UserError if the buildx builder does not exist
 */
export async function readBuilderDriver(docker: Docker, builder: string, signal?: AbortSignal): Promise<string> {
  const result = await docker.call(['buildx', 'inspect', builder], {
    bound: 'buildx-builder',
    ...(signal && { signal })
  })
  if (result.exitCode === null)
    throw new UserError(`The driver of the builder ${quote(builder)} is unknown: ${result.stderr}`)
  const driver = /^Driver:\s+(\S+)/m.exec(result.stdout)?.[1]
  if (result.exitCode !== 0 || driver === undefined) {
    throw new UserError(
      `Input builder names ${quote(builder)}, but docker buildx inspect does not know it: ${lastLine(result.stderr)}`
    )
  }
  return driver
}

/** Returns whether a version in the format of engines and plugins ("20.10.24+dfsg1", "v0.29.1", "0.13.1+ds1-3") is at least `least`. */
export function atLeast(version: string, least: string): boolean {
  const coerced = semver.coerce(version)
  return coerced !== null && semver.gte(coerced, least)
}
