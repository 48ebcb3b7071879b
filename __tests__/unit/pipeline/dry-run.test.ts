import { execFileSync } from 'node:child_process'
import { describe, expect, it } from '@jest/globals'
import { previewCommands } from '../../../src/pipeline/dry-run.ts'
import { makePlan, makeSecrets, SHA } from '../../support/make-plan.ts'

const SHORT = SHA.slice(0, 7)

function preview(options: Parameters<typeof makePlan>[0] = {}): string[] {
  return previewCommands(makePlan(options), makeSecrets(options.inputs))
}

describe('previewCommands', () => {
  it('has what an inline run does, in its order', () => {
    expect(preview()).toEqual([
      `docker buildx build --builder default --progress rawjson --provenance=false --cache-from type=registry,ref=octo/app:builder --cache-to type=inline --file Dockerfile --target builder --tag octo/app:builder-${SHORT} --tag octo/app:builder --tag octo/app:builder-next --iidfile TEMP/id .`,
      `docker run --env CI=true --log-driver none --name shared-docker-layers-RUN-test-1 --label shared-docker-layers.run=RUN --entrypoint sh octo/app:builder-${SHORT} -c a`,
      `docker run --env CI=true --log-driver none --name shared-docker-layers-RUN-test-2 --label shared-docker-layers.run=RUN --entrypoint sh octo/app:builder-${SHORT} -c b`,
      `docker buildx build --builder default --progress rawjson --provenance=false --cache-from type=registry,ref=octo/app:latest --cache-to type=inline --file Dockerfile --tag octo/app:${SHORT} --tag octo/app:latest --iidfile TEMP/id .`,
      ...[SHORT, 'builder-next'].map((tag) => `docker push octo/app:${tag}`),
      '# in the registry: octo/app:builder-next also becomes octo/app:builder',
      `# in the registry: octo/app:${SHORT} also becomes octo/app:latest`
    ])
  })

  it('has what a legacy run does: pulls, labels, no candidates', () => {
    const commands = preview({ strategy: 'legacy' })
    expect(commands.slice(0, 2)).toEqual(['docker pull octo/app:builder', 'docker pull octo/app:latest'])
    expect(commands[2]).toMatch(/^DOCKER_BUILDKIT=0 docker build --force-rm --cache-from octo\/app:builder .* \.$/)
    expect(commands[3]).toMatch(/^DOCKER_BUILDKIT=0 docker build --tag .* - <<'EOF'\nFROM builder, as just built\nEOF$/)
    expect(commands.slice(-3)).toEqual([
      `docker push octo/app:${SHORT}`,
      'docker push octo/app:builder',
      `# in the registry: octo/app:${SHORT} also becomes octo/app:latest`
    ])
  })

  it('takes nothing from a cache with no-cache', () => {
    const inputs = { 'no-cache': 'true' }
    const builds = preview({ inputs }).filter((command) => command.includes(' build '))
    expect(builds.map((command) => command.replace(/ --cache-to .*/, ''))).toEqual(
      Array(2).fill('docker buildx build --builder default --progress rawjson --provenance=false')
    )
    expect(builds.map((command) => command.includes(' --no-cache '))).toEqual([true, true])
    // production copies from the very image that the run has tested
    expect(builds[1]).toContain('--file TEMP/Dockerfile-stage-1')
    const legacy = preview({ inputs, strategy: 'legacy' })
    expect(legacy.filter((command) => /docker pull|--cache-from/.test(command))).toEqual([])
    expect(legacy.filter((command) => command.includes(' --no-cache '))).toHaveLength(2)
  })

  it('pushes nothing where nothing may be pushed', () => {
    expect(preview({ push: false }).filter((command) => command.includes('push'))).toEqual([])
  })

  it('shows no secret, and words that a shell takes as they are', () => {
    const inputs = {
      secrets: 'npm=s3cret',
      'test-options': '--env PASSWORD=pass-t0ken\n-eAPI_KEY=key-t0ken',
      'build-args': "NPM_TOKEN=it's-0123456789abcdef-t0ken\nNAME=it's $HOME",
      tests: 'echo "a b"; $(id)'
    }
    const commands = preview({ inputs })
    expect(commands.join('\n')).not.toMatch(/s3cret|t0ken/)
    const run = commands.find((command) => command.startsWith('docker run')) ?? ''
    const words = execFileSync('sh', ['-c', `docker() { for word; do printf '%s\\0' "$word"; done; }; ${run}`], {
      encoding: 'utf8'
    }).split('\0')
    expect(words.slice(-3)).toEqual(['-c', 'echo "a b"; $(id)', ''])
    expect(commands.join('\n')).toContain(`'NAME=it'\\''s $HOME'`)
  })
})
