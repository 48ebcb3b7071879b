import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Agent } from '../../testbed/index.ts'

/**
 * Variables with which an agent drops the local cache of its engine just before the production image of a commit is built.
 *
 * @param name of a new folder of the agent
 */
export function droppingCache(agent: Agent, image: string, name = 'dropping'): Record<string, string> {
  const { PATH = '' } = agent.env
  const docker = execFileSync('sh', ['-c', 'command -v docker'], { env: { PATH }, encoding: 'utf8' }).trim()
  const folder = join(agent.folder, name)
  mkdirSync(folder)
  const script = [
    '#!/bin/sh',
    `case " $* " in *" --tag ${image} "*)`,
    `  mkdir ${folder}/dropped && '${docker}' builder prune --all --force;;`,
    `esac > ${folder}/log 2>&1`,
    `exec '${docker}' "$@"`
  ]
  writeFileSync(join(folder, 'docker'), `${script.join('\n')}\n`)
  chmodSync(join(folder, 'docker'), 0o755)
  return { PATH: `${folder}:${PATH}` }
}
