import type { Docker } from '../docker/docker.ts'
import type { Log } from '../lib/log.ts'
import type { Timeline } from '../lib/timeline.ts'
import type { Environment } from './proxy.ts'
import type { InsecureRegistries } from './transport.ts'

/** What reading and tagging in registries needs. */
export interface RegistryOptions {
  docker: Docker
  /** The environment of the docker client. */
  env: Environment
  insecure: InsecureRegistries
  /** os/arch[/variant] of the images that are read; undefined: this machine's. */
  platform: string | undefined
  /** Version of the client's buildx; undefined where there is none. */
  buildx: string | undefined
  retries: number
  /** Milliseconds for one read or one tag, with its logins and redirects; a minute by default. */
  patience?: number
  log: Log
  timeline: Timeline
  signal: AbortSignal
}
