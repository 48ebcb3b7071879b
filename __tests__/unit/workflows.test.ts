import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { parse, parseDocument } from 'yaml'
import { dependabotFaults, issueTemplateFaults, lint } from '../support/github-files.ts'

interface Step {
  uses?: string
  run?: string
  with?: Record<string, unknown>
}
interface Workflow {
  permissions?: unknown
  jobs: Record<string, { needs?: string; permissions?: unknown; 'timeout-minutes'?: number; steps: Step[] }>
}

const root = join(import.meta.dirname, '../..')
const github = readdirSync(join(root, '.github'), { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.ya?ml$/.test(path))
  .map((path) => ({ path, text: readFileSync(join(root, '.github', path), 'utf8') }))
const workflows = filesOf('workflows')
const { version, homepage, bugs, repository, scripts, dependencies } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8')
) as Record<'version' | 'homepage', string> & Record<'bugs' | 'repository' | 'scripts' | 'dependencies', object>
const [, example = ''] = /```yaml\n(name: .*?)```/s.exec(readFileSync(join(root, 'README.md'), 'utf8')) ?? []

/** The YAML files of one folder below .github. */
function filesOf(folder: string): { name: string; text: string }[] {
  const files = github.filter(({ path }) => dirname(path) === folder)
  return files.map(({ path, text }) => ({ name: basename(path), text }))
}

describe.each(workflows)('The workflow $name', ({ text }) => {
  const { permissions, jobs } = parse(text) as Workflow
  const steps = Object.values(jobs).flatMap((job) => job.steps)

  it('has nothing that actionlint finds', () => {
    expect(lint(text)).toBe('')
  })

  it('may do nothing but what a job says for itself, and not for ever', () => {
    expect(permissions).toEqual({})
    for (const job of Object.values(jobs)) {
      expect(job.permissions).toEqual(expect.any(Object))
      expect(job['timeout-minutes']).toEqual(expect.any(Number))
    }
  })

  it('uses actions of one commit only, and says of which release that is', () => {
    const used = text.split('\n').filter((line) => line.includes('uses:'))
    expect(used).toHaveLength(steps.filter(({ uses }) => uses !== undefined).length)
    for (const line of used) expect(line).toMatch(/uses: [\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
  })

  it('keeps no credentials in its checkout, and puts no expression into a script', () => {
    for (const { uses, run, with: inputs } of steps) {
      if (uses?.startsWith('actions/checkout@')) expect(inputs).toMatchObject({ 'persist-credentials': false })
      expect(run ?? '').not.toContain('${{')
    }
  })
})

describe('The workflow of the README', () => {
  it('has nothing that actionlint finds, and asks for no more permissions than it needs', () => {
    expect(lint(example)).toBe('')
    const { permissions, jobs } = parse(example) as Workflow
    expect(permissions).toEqual({})
    expect(Object.values(jobs).map((job) => job.permissions)).toEqual([{ contents: 'read', packages: 'write' }])
  })

  it('is really looked at', () => {
    expect(lint(example.replace('runs-on', 'runs-no'))).toMatch(/runs-no/)
  })
})

describe('CI', () => {
  const { jobs } = parse(workflows.find(({ name }) => name === 'ci.yml')?.text ?? '') as Workflow

  it('runs the checks that need no engine before the tests on engines', () => {
    const order = Object.entries(jobs).map(([job, { needs, steps }]) => ({
      job,
      needs,
      commands: steps.flatMap(({ run }) => run ?? []).join('; ')
    }))
    expect(order).toEqual([
      {
        job: 'check',
        needs: undefined,
        commands: 'npm ci; npm run check:types; npm run check:lint; npm run check:dist; npm run test:unit'
      },
      { job: 'engines', needs: 'check', commands: expect.stringMatching(/^npm ci; .* npm test$/) }
    ])
  })

  it('runs only scripts that package.json defines', () => {
    const used = workflows.flatMap(({ text }) => [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name))
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(used))
  })
})

describe('.github', () => {
  it.each(github)('$path is valid YAML, and a test checks its kind', ({ path, text }) => {
    const { errors, warnings } = parseDocument(text)
    expect([...errors, ...warnings]).toEqual([])
    expect(path).toMatch(/^(dependabot\.yml|workflows\/[\w-]+\.yml|ISSUE_TEMPLATE\/[\w-]+\.yml)$/)
  })
})

describe('Dependabot', () => {
  const [text = ''] = github.filter(({ path }) => path === 'dependabot.yml').map((file) => file.text)

  it('has every key that GitHub needs', () => {
    expect(dependabotFaults(text)).toEqual([])
  })

  it('checks packages and actions every week, and groups the updates', () => {
    const { updates } = parse(text) as { updates: Record<string, unknown>[] }
    expect(updates).toEqual([
      expect.objectContaining({ 'package-ecosystem': 'npm', schedule: { interval: 'weekly' } }),
      expect.objectContaining({ 'package-ecosystem': 'github-actions', schedule: { interval: 'weekly' } })
    ])
    for (const { groups } of updates) expect(groups).toEqual(expect.any(Object))
  })

  it.each([
    ['version: 2', 'version: 1'],
    ['interval: weekly', 'interval: fortnightly'],
    ['directory: /', 'folder: /'],
    ['package-ecosystem: npm', 'package-ecosystem: npn'],
    ['update-types: [minor, patch]', 'update-types: [small]']
  ])('is checked: %j passes, %j does not', (right, wrong) => {
    expect(text).toContain(right)
    expect(dependabotFaults(text.replace(right, wrong))).not.toEqual([])
  })
})

describe('The issue templates', () => {
  const templates = filesOf('ISSUE_TEMPLATE')

  it('are a bug form, a feature form and a chooser', () => {
    expect(new Set(templates.map(({ name }) => name))).toEqual(new Set(['bug.yml', 'config.yml', 'feature.yml']))
  })

  it.each(templates)('$name has every key that GitHub needs', ({ name, text }) => {
    expect(issueTemplateFaults(name, text)).toEqual([])
  })

  it.each([
    ['bug.yml', 'name: Bug report', 'title: Bug report'],
    ['bug.yml', 'description: The action', 'about: The action'],
    ['bug.yml', 'type: dropdown', 'type: select'],
    ['bug.yml', 'id: expected', 'id: actual'],
    ['bug.yml', 'label: What you expected', 'label: What happened'],
    ['bug.yml', 'required: true', 'required: maybe'],
    ['bug.yml', '- Self-hosted runner', '- GitHub-hosted runner'],
    ['config.yml', 'url: https:', 'url: http:'],
    ['config.yml', 'about: Report', 'description: Report']
  ])('are checked: in %s %j passes, %j does not', (file, right, wrong) => {
    const [text = ''] = templates.filter(({ name }) => name === file).map((template) => template.text)
    expect(text).toContain(right)
    expect(issueTemplateFaults(file, text.replace(right, wrong))).not.toEqual([])
  })
})

describe('package.json', () => {
  it('names the repository that the README uses', () => {
    const [, name] = /uses: ([\w-]+\/shared-docker-layers)@/.exec(example) ?? []
    const url = `https://github.com/${name}`
    expect({ homepage, bugs, repository }).toEqual({
      homepage: `${url}#readme`,
      bugs: { url: `${url}/issues` },
      repository: { type: 'git', url: `git+${url}.git` }
    })
  })

  it('has a version that CHANGELOG.md describes', () => {
    const changelog = readFileSync(join(root, 'CHANGELOG.md'), 'utf8')
    expect(changelog).toContain('\n## [Unreleased]\n')
    expect(changelog).toContain(`\n## [${version}]`)
  })

  it('agrees with .node-version and action.yml on the version of Node.js', () => {
    const { runs } = parse(readFileSync(join(root, 'action.yml'), 'utf8')) as { runs: { using: string } }
    expect(`node${readFileSync(join(root, '.node-version'), 'utf8').trim()}`).toBe(runs.using)
  })
})

describe('package-lock.json', () => {
  it('has the integrity of every package, also of those that this platform never installs', () => {
    const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { integrity?: string }>
    }
    const others = Object.entries(packages).filter(
      ([path, { integrity }]) => path !== '' && !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? '')
    )
    expect(others).toEqual([])
    expect(Object.keys(packages).length).toBeGreaterThan(100)
  })
})

describe('dist/licenses.txt', () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; optional?: boolean }>
  }
  const shipped = Object.entries(packages)
    .filter(([path, { dev, optional }]) => path !== '' && !dev && !optional)
    .map(([path]) => path.replace(/^.*node_modules\//, ''))
  const lines = readFileSync(join(root, 'dist/licenses.txt'), 'utf8').split('\n')
  const licences = new Map(lines.flatMap((line, index) => (shipped.includes(line) ? [[line, lines[index + 1]]] : [])))

  it('names what is bundled, under licences that ask for no more than to be named', () => {
    for (const name of Object.keys(dependencies)) expect(licences.has(name)).toBe(true)
    for (const [name, licence] of licences) {
      expect({ name, licence }).toEqual({
        name,
        licence: expect.stringMatching(/^(MIT|ISC|0BSD|BSD-[23]-Clause|Apache-2\.0)$/)
      })
    }
  })

  it('is of few packages: each is code that runs with a token', () => {
    expect(licences.size).toBeLessThan(45)
  })
})
