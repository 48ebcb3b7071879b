import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import { availableEngines, type TestBed } from '../../testbed/index.ts'
import { pushEvent, RunningAction } from '../../testbed/runner.ts'
import { SourceRepository } from '../../testbed/source-repository.ts'
import { base, bed } from '../support/bed.ts'
import { annotations, ending, sharesWithBuildKit } from '../support/harness.ts'

const SECRET = 'hunter2-correct-horse'
const TOKEN = 'ghs_battery-staple'

function dockerfile(): string {
  return [
    `FROM ${base} AS builder`,
    'RUN --mount=type=secret,id=npm grep -q hunter2 /run/secrets/npm && echo found > /found',
    `FROM ${base}`,
    'RUN --mount=type=secret,id=npm test -s /run/secrets/npm',
    'COPY --from=builder /found /found',
    ''
  ].join('\n')
}

/** Everything that the registry has under a repository, unpacked: manifests, configs and layers. */
async function contentOf({ registry }: TestBed, repository: string): Promise<string> {
  const parts: string[] = []
  for (const tag of await registry.tags(repository)) {
    const manifest = await registry.manifest(repository, tag)
    parts.push(JSON.stringify(manifest))
    for (const { digest } of [manifest?.body.config, ...(manifest?.body.layers ?? [])]) {
      const blob = Buffer.from(await (await fetch(`${registry.url}/v2/${repository}/blobs/${digest}`)).arrayBuffer())
      parts.push((blob[0] === 0x1f ? gunzipSync(blob) : blob).toString('latin1'))
    }
  }
  return parts.join('\n')
}

/** What the files below a folder hold. */
function filesBelow(folder: string): string {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return names.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1')).join('\n')
}

describe.each(availableEngines().filter(sharesWithBuildKit))('Docker $version, $store store: a secret', (engine) => {
  it('reaches the build, and nothing that is seen or kept', async () => {
    const agent = await bed.agent(engine)
    const source = new SourceRepository(bed.folder, { Dockerfile: dockerfile() })
    const repository = `octo/secret-${engine.version}-${engine.store}`
    try {
      const action = new RunningAction(agent, {
        workspace: source.checkout(source.head()),
        event: pushEvent(source.head(), 'master'),
        inputs: {
          image: `${bed.registry.host}/${repository}`,
          secrets: `npm=${SECRET}`,
          'github-token': TOKEN,
          'build-args': 'NPM_TOKEN=not-so-secret',
          tests: 'env; cat /proc/*/environ; ! test -e /run/secrets'
        },
        // nobody answers there
        env: { GITHUB_API_URL: 'http://127.0.0.1:5999' }
      })
      let commandLines = ''
      const ended = action.end()
      let hasEnded = false
      void ended.finally(() => {
        hasEnded = true
      })
      while (!hasEnded) {
        commandLines += execFileSync('ps', ['-eo', 'args', '--width', '100000'], { encoding: 'latin1' })
        await sleep(30)
      }
      const outcome = await ended
      expect(ending(outcome)).toEqual({ exitCode: 0, log: '' })
      // what was looked at is what was meant to be
      expect(commandLines).toContain('--secret id=npm')
      const kept = await contentOf(bed, repository)
      expect(kept).toContain('found')

      const [masks, shown] = ['::add-mask::', ''].map((start) =>
        outcome.log
          .split('\n')
          .filter((line) => line.startsWith('::add-mask::') === (start !== ''))
          .join('\n')
      )
      expect(masks).toContain(SECRET)
      const history = await agent.docker('history', '--no-trunc', `${bed.registry.host}/${repository}:latest`)
      const places = {
        commandLines,
        kept,
        history,
        shown,
        left: filesBelow(action.temp),
        told: JSON.stringify([outcome.outputs, outcome.summary, outcome.report, outcome.post])
      }
      for (const [place, content] of Object.entries(places)) {
        for (const value of [SECRET, TOKEN]) {
          expect({ place, value, found: content?.includes(value) }).toEqual({ place, value, found: false })
        }
      }
      // one that is no secret is told so, and masked
      expect(masks).toContain('not-so-secret')
      expect(annotations(outcome, 'warning')).toContainEqual(
        expect.stringMatching(/^::warning::Build argument "NPM_TOKEN" looks like a secret, .* use the input secrets/)
      )
    } finally {
      await agent.stop()
    }
  })
})
