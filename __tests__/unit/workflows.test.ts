import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { satisfies } from 'semver'
import { parse, parseDocument } from 'yaml'
import { dependabotFaults, issueTemplateFaults } from '../support/github-files.ts'
import { pagesIn } from '../support/markdown.ts'
import {
  evaluate,
  forActionlint,
  type Job,
  lintAll,
  ownFaults,
  type Step,
  type Workflow,
  withReleases
} from '../support/workflows.ts'

const root = join(import.meta.dirname, '../..')
const github = readdirSync(join(root, '.github'), { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.ya?ml$/.test(path))
  .map((path) => ({ path, text: readFileSync(join(root, '.github', path), 'utf8') }))
const workflows = filesOf('workflows')
const { version, homepage, bugs, repository, scripts, dependencies } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8')
) as Record<'version' | 'homepage', string> & Record<'bugs' | 'repository' | 'scripts' | 'dependencies', object>
const [pipeline, copy, caller] = [
  '.github/workflows/pipeline.yml',
  'examples/several-machines/pipeline.yml',
  'examples/several-machines/caller.yml'
].map((path) => readFileSync(join(root, path), 'utf8')) as [string, string, string]
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const pages = pagesIn('docs').map(({ text }) => text)
const [, example = ''] = /```yaml\n(name: .*?)```/s.exec(readme) ?? []

/** The YAML files of one folder below .github. */
function filesOf(folder: string): { name: string; text: string }[] {
  const files = github.filter(({ path }) => dirname(path) === folder)
  return files.map(({ path, text }) => ({ name: basename(path), text }))
}

function jobsOf(name: string): Workflow['jobs'] {
  return (parse(workflows.find((workflow) => workflow.name === name)?.text ?? '') as Workflow).jobs
}

/** The lines that name an action or a workflow. */
function usesOf(text: string): string[] {
  return text.split('\n').filter((line) => /^[ -]+uses: /.test(line))
}

/** Those of them that may name another commit tomorrow. `$/` is the commit of the workflow itself, and `./` that of the checkout. */
function unpinned(text: string): string[] {
  const pinned = /^[ -]+uses: ([\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\$\/(build|test|publish)|\.\/)$/
  return usesOf(text).filter((line) => !pinned.test(line))
}

/** An expression in a workflow. */
function ref(inner: string): string {
  return `$\{{ ${inner} }}`
}

/** Minutes after which GitHub cancels a job. */
function limit({ 'timeout-minutes': minutes }: Workflow['jobs'][string], on: Workflow['on']): unknown {
  const [, input = ''] = /^\$\{\{ inputs\.([\w-]+) \}\}$/.exec(String(minutes)) ?? []
  return input === '' ? minutes : on.workflow_call?.inputs[input]?.default
}

let linted: Record<string, string>
beforeAll(() => {
  const wrong = {
    'wrong key': example.replace('runs-on', 'runs-no'),
    'wrong input': forActionlint(pipeline.replace('retention-days:', 'retention:')),
    'wrong context': forActionlint(pipeline.replace('matrix.test', 'matrix.tests')),
    'wrong need': forActionlint(pipeline.replace('needs.build.outputs.matrix', 'needs.build.outputs.matrices')),
    'self-repository': pipeline
  }
  const right = workflows.map(({ name, text }) => [name, forActionlint(text)])
  linted = lintAll({ ...Object.fromEntries(right), ...wrong, example, caller, copy: forActionlint(copy) })
})

describe.each(workflows)('The workflow $name', ({ name, text }) => {
  const { on, permissions, jobs } = parse(text) as Workflow
  const steps = Object.values(jobs).flatMap((job) => job.steps ?? [])

  it('has nothing that actionlint finds', () => {
    expect(linted[name]).toBe('')
  })

  it('uses only inputs and outputs that exist', () => {
    expect(ownFaults(text)).toEqual([])
  })

  it('may do nothing but what a job says for itself, and not for ever', () => {
    expect(permissions).toEqual({})
    for (const job of Object.values(jobs)) {
      expect(job.permissions).toEqual(expect.any(Object))
      expect(limit(job, on)).toEqual(expect.any(Number))
    }
  })

  it('uses actions of one commit only, and says of which release that is', () => {
    expect(unpinned(text)).toEqual([])
    expect(usesOf(text)).toHaveLength(steps.filter(({ uses }) => uses !== undefined).length)
  })

  it('keeps no credentials in its checkout, and puts no expression into a script', () => {
    for (const { uses, run, with: inputs } of steps) {
      if (uses?.startsWith('actions/checkout@')) expect(inputs).toMatchObject({ 'persist-credentials': false })
      expect(run ?? '').not.toContain('${{')
    }
  })
})

describe('The check for pinned actions', () => {
  it.each([
    ['- uses: actions/checkout@v4'],
    ['- uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1'],
    ['  uses: ./build'],
    ['  uses: $/bench'],
    ['  uses: $/build@v1.0.0']
  ])('finds %s', (line) => {
    expect(unpinned(`      ${line}\n`)).toEqual([`      ${line}`])
  })
})

describe('The workflow of the README', () => {
  it('has nothing that actionlint finds, and asks for no more permissions than it needs', () => {
    expect(linted.example).toBe('')
    const { permissions, jobs } = parse(example) as Workflow
    expect(permissions).toEqual({})
    expect(Object.values(jobs).map((job) => job.permissions)).toEqual([{ contents: 'read', packages: 'write' }])
  })

  it('is really looked at', () => {
    expect(linted['wrong key']).toMatch(/runs-no/)
  })
})

describe('The workflow for several machines', () => {
  const { on, env, jobs } = parse(pipeline) as Workflow & { env: Record<'LOG_IN', string> }
  const { inputs = {}, outputs = {} } = on.workflow_call ?? {}
  const { build, test, publish } = jobs as Record<'build' | 'test' | 'publish', Job>

  /** The step of a job that uses an action. */
  function step({ steps = [] }: Job, uses: string, index = 0): Step & { with: Record<string, string> } {
    return steps.filter((one) => one.uses?.startsWith(uses))[index] as Step & { with: Record<string, string> }
  }

  it('uses `$/` for the three actions, and actionlint finds nothing else', () => {
    const own = usesOf(pipeline).filter((line) => line.includes('$/'))
    expect(own).toEqual(['build', 'test', 'publish'].map((name) => `        uses: $/${name}`))
    const messages = String(linted['self-repository']).match(/^\.github.*$/gm)
    // once this fails, actionlint knows `$/` (rhysd/actionlint#711): lint the workflow itself
    expect(messages).toEqual(
      ['build', 'test', 'publish'].map((name) =>
        expect.stringContaining(`specifying action "$/${name}" in invalid format because ref is missing`)
      )
    )
  })

  it('is really linted', () => {
    expect(linted['wrong input']).toMatch(/input "retention" is not defined/)
    expect(linted['wrong context']).toMatch(/property "tests" is not defined/)
    expect(linted['wrong need']).toMatch(/property "matrices" is not defined/)
  })

  it('has a copy for older runners, which uses the actions of the release', () => {
    const withoutHead = (text: string): string => text.replace(/^(#.*\n)+/, '')
    expect(linted.copy).toBe('')
    expect(withoutHead(copy)).toBe(withoutHead(withReleases(pipeline, `v${version}`)))
  })

  it('has an example that calls it, in the documentation too', () => {
    expect(linted.caller).toBe('')
    expect(pages.join('')).toContain(`\`\`\`yaml\n${caller}\`\`\``)
    const { image: used } = (parse(caller) as Workflow).jobs as Record<'image', Job>
    const most = new Set(Object.values(jobs).flatMap(({ permissions = {} }) => Object.keys(permissions)))
    expect(new Set(Object.keys(used.permissions ?? {}))).toEqual(most)
  })

  it.each([
    ['the workflow', pipeline],
    ['its copy', copy],
    ['its caller', caller],
    ['the example of the README', example]
  ])('uses only inputs and outputs that exist: %s', (_, text) => {
    expect(ownFaults(text)).toEqual([])
  })

  it.each([
    ['          retries:', '          retry:', 'the action build has no retry'],
    [`          image: ${ref('inputs.image')}`, '', 'the action build needs image'],
    [`          hand-off: ${ref('runner.temp')}/hand-off\n`, '', 'the action test needs hand-off'],
    ['steps.build.outputs.matrix', 'steps.build.outputs.tests', 'steps.build has no output tests'],
    ['needs.build.outputs.matrix', 'needs.build.outputs.tests', 'needs.build has no output tests'],
    ['jobs.publish.outputs.digest', 'jobs.publish.outputs.id', 'jobs.publish has no output id']
  ])('is compared with the actions: %j becomes %j', (right, wrong, fault) => {
    for (const text of [pipeline, copy]) {
      expect(text).toContain(right)
      expect(ownFaults(text.replace(right, wrong))).toEqual([fault])
    }
  })

  it.each([
    ['      tests:', '      test:', 'the workflow .github/workflows/pipeline.yml has no test'],
    ['      image:', '      images:', 'the workflow .github/workflows/pipeline.yml needs image'],
    ['      build-secrets:', '      secrets:', 'the workflow .github/workflows/pipeline.yml has no secrets']
  ])('is compared with its caller: %j becomes %j', (right, wrong, fault) => {
    expect(caller).toContain(right)
    expect(ownFaults(caller.replace(right, wrong))).toContain(fault)
  })

  it('has the inputs of the actions, with their descriptions and defaults', () => {
    const action = parse(readFileSync(join(root, 'build/action.yml'), 'utf8')) as { inputs: Record<string, object> }
    // each platform has jobs of its own, in another workflow; secrets is a secret of the workflow; nobody can start an agent, write a file or set a variable in its jobs; the rest are its own affair
    const without = 'platforms secrets secret-files secret-envs ssh reports-directory github-token transport'.split(' ')
    const shared = Object.keys(action.inputs).filter((name) => !without.includes(name))
    expect(Object.keys(inputs).slice(0, shared.length)).toEqual(shared)
    for (const name of shared) {
      const { type: _, ...described } = inputs[name] ?? {}
      const text = 'default' in described ? { ...described, default: String(described.default) } : described
      expect({ name, ...text }).toEqual({ name, ...action.inputs[name] })
    }
  })

  it('gives build and publish the same inputs', () => {
    const { transport, ...builds } = step(build, '$/build').with
    const { 'hand-off': handOff, results, 'reports-directory': reports, ...publishes } = step(publish, '$/publish').with
    expect(publishes).toEqual(builds)
    expect([transport, handOff, results, reports]).toEqual([
      ref('inputs.transport'),
      `${ref('runner.temp')}/hand-off`,
      `${ref('runner.temp')}/results`,
      `${ref('runner.temp')}/test-reports`
    ])
    for (const [name, value] of Object.entries(builds)) {
      expect(value).toBe(name === 'secrets' ? ref('secrets.build-secrets') : ref(`inputs.${name}`))
    }
  })

  it('gives each job the permissions that it needs', () => {
    expect([build, test, publish].map(({ permissions }) => permissions)).toEqual([
      { contents: 'read', packages: 'write' },
      { packages: 'read' },
      { contents: 'read', packages: 'write' }
    ])
    expect([test.needs, publish.needs]).toEqual(['build', ['build', 'test']])
  })

  it.each([
    ['success', '[0,1]', 'success', false, true],
    ['success', '[]', 'skipped', false, true],
    ['success', '[0,1]', 'failure', false, false],
    ['success', '[0,1]', 'cancelled', false, false],
    // GitHub drops an output with a masked text in it
    ['success', '', 'skipped', false, false],
    ['success', '[0,1]', 'skipped', false, false],
    ['success', '[0,1]', 'success', true, false],
    ['failure', '', 'skipped', false, false],
    ['failure', '[]', 'skipped', false, false],
    ['cancelled', '[]', 'skipped', false, false]
  ])('publishes after build %s with tests %s and test %s, cancelled %j: %j', (of, matrix, tests, cancelled, runs) => {
    const needs = { build: { result: of, outputs: { matrix } }, test: { result: tests } }
    expect(evaluate(publish.if ?? '', { needs, cancelled: () => cancelled })).toBe(runs)
  })

  it.each([
    ['a push', {}, '', 'ghcr.io', true],
    ['a push', {}, 'secret', 'docker.io', true],
    ['a push without a password', {}, '', 'docker.io', false],
    [
      'a pull request of the repository',
      { pull_request: { head: { repo: { full_name: 'o/a' } } } },
      '',
      'ghcr.io',
      true
    ],
    ['a pull request of a fork', { pull_request: { head: { repo: { full_name: 'f/a' } } } }, '', 'ghcr.io', false],
    ['a fork that is gone', { pull_request: { head: { repo: null } } }, 'secret', 'ghcr.io', false]
  ])('logs in for %s: %j, password %j, %s: %j', (_, event, password, registry, does) => {
    const github = { event, repository: 'o/a' }
    const secrets = { 'registry-password': password }
    expect(evaluate(env.LOG_IN, { github, secrets, inputs: { registry } })).toBe(does)
    for (const job of [build, test, publish]) {
      expect(step(job, 'docker/login-action@').if).toBe("env.LOG_IN == 'true'")
    }
  })

  it.each([
    [{ runner: 'ubuntu-latest' }, ['ubuntu-latest', 'ubuntu-latest', 'ubuntu-latest']],
    [
      { runner: '["self-hosted", "linux"]', 'test-runner': 'small' },
      [['self-hosted', 'linux'], 'small', ['self-hosted', 'linux']]
    ],
    [{ runner: 'a', 'build-runner': 'b', 'publish-runner': '["c"]' }, ['b', 'a', ['c']]]
  ])('runs on %j: %j', (given, labels) => {
    const context = { inputs: { 'build-runner': '', 'test-runner': '', 'publish-runner': '', ...given } }
    expect([build, test, publish].map((job) => evaluate(job['runs-on'] ?? '', context))).toEqual(labels)
  })

  it('runs all tests on as many machines as it may, also after one failed', () => {
    expect(test.strategy).toEqual({
      'fail-fast': false,
      'max-parallel': ref('inputs.max-parallel'),
      matrix: { test: ref('fromJSON(needs.build.outputs.matrix)') }
    })
    expect(test.if).toBe("needs.build.outputs.matrix != '[]'")
    expect(inputs['max-parallel']?.default).toBe(256)
  })

  it('hands files on by artifacts that no two jobs and no two attempts share', () => {
    const uploads = [build, test, publish].flatMap(({ steps = [] }) =>
      steps.filter(({ uses = '' }) => uses.startsWith('actions/upload-artifact@'))
    )
    const name = (rest: string): string => `${ref('inputs.name')}-${rest}-attempt-${ref('github.run_attempt')}`
    expect(uploads.map((upload) => upload.with?.name)).toEqual([
      name('hand-off'),
      name(`test-${ref('matrix.test')}`),
      name(`reports-${ref('matrix.test')}`),
      name('reports-production')
    ])
    for (const upload of uploads.slice(0, 2)) {
      expect(upload.with).toMatchObject({ 'retention-days': 1, 'if-no-files-found': 'error' })
    }
    expect(step(publish, 'actions/download-artifact@', 1).with).toEqual({
      pattern: `${ref('inputs.name')}-test-*`,
      path: `${ref('runner.temp')}/results`
    })
  })

  it('takes the hand-off by the ID that only build can set: any job can replace an artifact of this name', () => {
    expect(build.outputs?.['hand-off']).toBe(ref('steps.hand-off.outputs.artifact-id'))
    const { id, with: upload } = step(build, 'actions/upload-artifact@')
    expect({ id, path: upload.path }).toEqual({ id: 'hand-off', path: ref('steps.build.outputs.hand-off') })
    for (const [job, action] of [
      [test, '$/test'],
      [publish, '$/publish']
    ] as const) {
      const { with: download } = step(job, 'actions/download-artifact@')
      expect(download).toEqual({
        'artifact-ids': ref('needs.build.outputs.hand-off'),
        path: step(job, action).with['hand-off']
      })
    }
  })

  it('has outputs of publish, as the action describes them', () => {
    const action = parse(readFileSync(join(root, 'action.yml'), 'utf8')) as Required<Workflow['on']>['workflow_call']
    for (const [name, output] of Object.entries(outputs)) {
      expect(output).toEqual({ ...action?.outputs[name], value: ref(`jobs.publish.outputs.${name}`) })
      expect(publish.outputs?.[name]).toBe(ref(`steps.publish.outputs.${name}`))
    }
    expect(Object.keys(outputs)).toEqual(expect.arrayContaining(['image', 'digest', 'tags', 'published']))
  })
})

describe('CI', () => {
  const jobs = jobsOf('ci.yml')

  it('runs the checks that need no engine before the tests on engines', () => {
    const order = Object.entries(jobs).map(([job, { needs, steps }]) => ({
      job,
      needs,
      commands: (steps ?? []).flatMap(({ run }) => run ?? []).join('; ')
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
    const commands = workflows
      .flatMap(({ text }) => Object.values((parse(text) as Workflow).jobs))
      .flatMap(({ steps = [] }) => steps.map(({ run = '' }) => run))
    const used = commands.flatMap((command) => [...command.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name))
    expect(used).toEqual(expect.arrayContaining(['check:types', 'release']))
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(used))
  })

  it('runs them on every hosted Ubuntu, and publishes the demo with the action of the commit there', () => {
    const { image } = jobsOf('dogfood.yml')
    const runner = ['ubuntu-22.04', 'ubuntu-24.04', 'ubuntu-26.04'].flatMap((label) => [label, `${label}-arm`])
    for (const job of [jobs.engines, image]) {
      expect(job?.['runs-on']).toBe(ref('matrix.runner'))
      expect(job?.strategy).toEqual({ 'fail-fast': false, matrix: { runner: expect.arrayContaining(runner) } })
    }
    expect(image?.steps).toContainEqual(
      expect.objectContaining({ uses: './', with: expect.objectContaining({ context: 'demo/application' }) })
    )
  })
})

describe('The release', () => {
  const { check, publish } = jobsOf('release.yml') as Record<'check' | 'publish', Job>
  const commands = ({ steps = [] }: Job): string => steps.map(({ run = '' }) => run).join('; ')

  it('is made of a tag with a whole version, not of vX', () => {
    const { on } = parse(workflows.find(({ name }) => name === 'release.yml')?.text ?? '') as Workflow
    expect(on).toEqual({ push: { tags: ['v*.*.*'] } })
  })

  it('is checked before, in a job that cannot write', () => {
    expect(publish.needs).toBe('check')
    expect([check.permissions, publish.permissions]).toEqual([{ contents: 'read' }, { contents: 'write' }])
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the shell
    expect(commands(check)).toBe('; ; npm ci; npm run release -- "${GITHUB_REF_NAME#v}" --tagged')
  })

  it('is published without packages of others', () => {
    expect(commands(publish)).toContain('node scripts/publish-release.ts')
    expect(commands(publish)).not.toMatch(/\bnp[mx]\b/)
    const sources = ['publish-release.ts', 'repository.ts', 'versions.ts'].map((name) =>
      readFileSync(join(root, 'scripts', name), 'utf8')
    )
    const imported = sources.flatMap((source) => [...source.matchAll(/ from '([^']+)'/g)].map(([, name]) => name))
    for (const name of imported) expect(name).toMatch(/^(node:\w+|\.\/(repository|versions)\.ts)$/)
    expect(imported.length).toBeGreaterThan(3)
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

  it('has the version that the README, the documentation and the examples use', () => {
    const used = [readme, ...pages, copy, caller].flatMap((text) => [
      ...text.matchAll(/uses: shared-docker-layers\/\S*@(\S+)/g)
    ])
    expect(used.length).toBeGreaterThan(10)
    for (const [line, release] of used) expect({ line, release }).toEqual({ line, release: `v${version}` })
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

  it('has no package for which npm warns on the first Node.js 20, 22 or 24', () => {
    const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { engines?: { node?: string } }>
    }
    const demanding = Object.entries(packages).filter(([, { engines }]) =>
      ['20.0.0', '22.0.0', '24.0.0'].some((node) => !satisfies(node, engines?.node ?? '*'))
    )
    // remove these names together with the versions that need Node.js 22
    expect(demanding.map(([path]) => path)).toEqual([])
  })
})

describe('dist/licenses.txt', () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; optional?: boolean }>
  }
  const shipped = Object.entries(packages)
    .filter(([path, { dev, optional }]) => path !== '' && !dev && !optional)
    .map(([path]) => path.replace(/^.*node_modules\//, ''))
  const lines = ['dist', 'dist/publish', 'dist/test'].flatMap((folder) =>
    readFileSync(join(root, folder, 'licenses.txt'), 'utf8').split('\n')
  )
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
