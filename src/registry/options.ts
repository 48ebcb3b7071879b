import type { Docker } from '../docker/docker.ts'
import type { Log } from '../lib/log.ts'
import type { Timeline } from '../lib/timeline.ts'
import type { Environment } from './proxy.ts'
import type { InsecureRegistries } from './transport.ts'

/** Options for inspecting and tagging images in registries. */
export interface RegistryOptions {
  docker: Docker
  /** The environment of the docker client. */
  env: Environment
  insecure: InsecureRegistries
  /** os/arch[/variant] of the images to inspect; undefined: this machine's. */
  platform: string | undefined
  /** Version of the client's buildx plugin; undefined if it has none. */
  buildx: string | undefined
  retries: number
  /** Time limit in milliseconds for inspecting or tagging one image, including logins and redirects; instead of the usual bound. */
  patience?: number
  log: Log
  timeline: Timeline
  signal: AbortSignal
}
