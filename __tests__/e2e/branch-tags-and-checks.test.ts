import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { availableEngines } from '../../testbed/index.ts'
import { type Outcome, pushEvent } from '../../testbed/runner.ts'
import { SourceRepository } from '../../testbed/source-repository.ts'
import { base, bed } from '../support/bed.ts'
import { ending, isNewest, Project, short } from '../support/harness.ts'

/** BuildKit finds one thing to say about it: the case of `as`. */
const DOCKERFILE = `FROM BASE as builder
COPY app.txt /app.txt
FROM BASE
COPY --from=builder /app.txt /app.txt
`

/** The file commands of the annotations of build checks. */
function checksIn({ log }: Outcome): string[] {
  return log.split('\n').filter((line) => line.startsWith('::warning') && line.includes('title=Docker build check'))
}

describe.each(availableEngines().filter(isNewest).slice(0, 1))('Docker $version, $store store', (engine) => {
  it('has moving tags for each publishing branch, and shows build checks at their lines', async () => {
    const dockerfile = DOCKERFILE.replaceAll('BASE', base)
    const project = new Project(bed, engine, 'branch-tags')
    const source = new SourceRepository(bed.folder, { 'docker/Dockerfile': dockerfile, 'app.txt': '0\n' })
    const inputs = {
      file: 'docker/Dockerfile',
      tests: 'test -s /app.txt',
      'commit-tag': 'sha-{short}',
      'publish-branch': 'master\nrelease/*'
    }
    await project.onAgent(async (agent) => {
      const artifacts = join(bed.folder, 'artifacts')
      const play = async (sha: string, branch: string, more = {}, exitCode = 0): Promise<Outcome> => {
        writeFileSync(artifacts, '')
        const given = { ...inputs, ...more }
        const env = { GITHUB_ARTIFACTS: artifacts }
        const outcome = await project.runOn(agent, source.checkout(sha), given, pushEvent(sha, branch), env)
        expect(ending(outcome, exitCode)).toEqual({ exitCode, log: '' })
        return outcome
      }
      const first = source.head()
      const onMaster = await play(first, 'master')
      const digest = await project.digest('latest')
      expect(onMaster.outputs).toMatchObject({
        image: `${project.image}:sha-${short(first)}`,
        ref: `${project.image}@${digest}`,
        published: 'true'
      })
      expect(readFileSync(artifacts, 'utf8')).toBe(`oci://${project.image}@${digest}\n`)
      // once, although both stages are built from this file
      const [check = '', ...others] = checksIn(onMaster)
      expect(others).toEqual([])
      expect(check).toMatch(/^::warning title=Docker build check,file=docker\/Dockerfile,line=1::FromAsCasing: /)
      expect(check).toMatch(/%0Ahttps:\/\/docs\.docker\.com\/\S+from-as-casing\/$/)
      expect((onMaster.report as { warnings: unknown }).warnings).toMatchObject([{ rule: 'FromAsCasing', line: 1 }])

      source.branch('release/1.x')
      const second = source.commit({ 'app.txt': '1\n' })
      const third = source.commit({ 'app.txt': '2\n', 'docker/Dockerfile': `# check=skip=FromAsCasing\n${dockerfile}` })
      const onRelease = await play(third, 'release/1.x')
      expect(onRelease.outputs).toMatchObject({ published: 'true' })
      expect(checksIn(onRelease)).toEqual([])
      // a late run
      expect((await play(second, 'release/1.x')).outputs).toMatchObject({ pushed: 'true', published: 'false' })
      expect(await project.digest('latest-release-1.x')).toBe(await project.digest(`sha-${short(third)}`))
      expect(await project.digest('latest')).toBe(digest)

      const strict = source.commit({ 'docker/Dockerfile': `# check=error=true\n${dockerfile}` })
      const refused = await play(strict, 'release/1.x', {}, 1)
      expect(refused.log).toMatch(/^::error .*lint violation found for rules: FromAsCasing/m)
      expect(refused.outputs).toMatchObject({ ref: '', pushed: 'false' })
      expect(readFileSync(artifacts, 'utf8')).toBe('')
    })
    expect((await project.imageTags()).filter((tag) => !tag.startsWith('sha-'))).toEqual([
      'builder',
      'builder-next',
      'builder-release-1.x',
      'builder-release-1.x-next',
      'latest',
      'latest-release-1.x'
    ])
  })
})
