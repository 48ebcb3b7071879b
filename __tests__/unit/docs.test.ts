import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { parse, parseDocument } from 'yaml'
import { crossCheck, readInputs } from '../../src/action/inputs.ts'
import type { FailureKind, RegistryFailure } from '../../src/registry/failure.ts'
import { markdown } from '../../src/report/markdown.ts'
import { describeFailure } from '../../src/report/messages.ts'
import type { Report } from '../../src/report/report.ts'
import { makeSummary } from '../../src/report/summary.ts'
import { plainText } from '../../src/report/terminal.ts'
import type { Failure, TestResult } from '../../src/result/result.ts'
import { actionSteps, OURS } from '../support/examples.ts'
import {
  anchorOf,
  brokenLinks,
  fencesOf,
  headingsOf,
  pagesIn,
  readPage,
  sectionOf,
  tablesOf
} from '../support/markdown.ts'
import { buildWith, GOOD, MISS, NOTHING } from '../support/results.ts'
import { forActionlint, lintAll, ownFaults, type Workflow } from '../support/workflows.ts'

const root = join(import.meta.dirname, '../..')
const action = parse(readFileSync(join(root, 'action.yml'), 'utf8')) as { inputs: Record<string, unknown> }
const pages = pagesIn('.', '.github', 'docs', 'docs/summaries')
const [readme, migration, troubleshooting] = ['README.md', 'docs/migration.md', 'docs/troubleshooting.md'].map(
  readPage
) as [ReturnType<typeof readPage>, ReturnType<typeof readPage>, ReturnType<typeof readPage>]

/** A snippet of YAML in a page. */
interface Snippet {
  name: string
  text: string
}

const snippets: Snippet[] = pages.flatMap((page) =>
  fencesOf(page)
    .filter(({ language }) => language === 'yaml')
    .map(({ text }, index) => ({ name: `${page.path}, ${index + 1}`, text }))
)
const workflows = snippets.filter(({ text }) => isWorkflow(text))

function isWorkflow(text: string): boolean {
  return Object.hasOwn(parse(text) as object, 'jobs')
}

/** Inputs of the action that the action would refuse. */
function refusals(inputs: Record<string, string>): string[] {
  try {
    crossCheck(readInputs((name) => inputs[name] ?? ''))
    return []
  } catch (error) {
    return [(error as Error).message]
  }
}

/** A pattern for a text as it is. */
function escaped(text: string): string {
  return text.replaceAll(/[.*+?^$()[\]{}|\\]/g, '\\$&')
}

/** What is wrong with a snippet that is no workflow: it must be inputs of the action. */
function inputFaults(text: string): string[] {
  const inputs = Object.entries(parse(text) as Record<string, string>)
  const unknown = inputs.map(([name]) => name).filter((name) => !Object.hasOwn(action.inputs, name))
  const filled = inputs.map(([name, value]) => [name, value.replaceAll(/\$\{\{.*?\}\}/g, 'word')])
  return [...unknown, ...refusals({ image: 'octo/app', ...Object.fromEntries(filled) })]
}

/** What is wrong with a workflow, besides what actionlint finds; one that does not use the action is only to be left behind. */
function workflowFaults(text: string): string[] {
  if (!text.includes(OURS.replace(/@.*/, ''))) return []
  const { permissions } = parse(text) as Workflow
  const pinned = /uses: [\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/
  const moving = text
    .split('\n')
    .filter((line) => line.includes('uses:') && !pinned.test(line))
    .filter((line) => !/ uses: shared-docker-layers\//.test(line) || !line.endsWith(OURS.replace(/.*@/, '@')))
  return [
    ...ownFaults(text),
    ...moving,
    ...(JSON.stringify(permissions) === '{}' ? [] : ['permissions are not {}']),
    ...(text.includes(`uses: ${OURS}`)
      ? actionSteps(text, (expression) => (expression.endsWith('.labels') ? 'key=word' : 'word')).flatMap(
          ({ inputs }) => refusals(inputs)
        )
      : [])
  ]
}

describe('Links', () => {
  it.each(pages)('of $path lead to files and headings that exist', (page) => {
    expect(brokenLinks(page)).toEqual([])
  })

  it.each([
    ['[a](docs/nothing.md)', 'docs/nothing.md'],
    ['[a](#nothing)', '#nothing'],
    ['[a](docs/cache.md#nothing)', 'docs/cache.md#nothing'],
    ['<img src="docs/nothing.png">', 'docs/nothing.png'],
    ['[a](../outside.md)', '../outside.md']
  ])('that are broken are found: %s', (text, link) => {
    expect(brokenLinks({ path: 'README.md', text })).toEqual([link])
  })

  it.each([
    ['`Access denied to …: log in`', 'access-denied-to--log-in'],
    ['`No value for …: it`', 'no-value-for--it'],
    ["From the post's script/x_y", 'from-the-posts-scriptx_y']
  ])('know the anchor of %s', (heading, anchor) => {
    expect(anchorOf(heading)).toBe(anchor)
  })

  it.each(pages.filter(({ text }) => /^- \[[^\]]+\]\(#/m.test(text)))(
    'of the contents list of $path are its headings',
    (page) => {
      const [list = ''] = /(^- \[[^\]]+\]\(#.*\n)+/m.exec(page.text) ?? []
      const titles = [...list.matchAll(/\[([^\]]+)\]/g)].map(([, title]) => title)
      expect(titles).toEqual(headingsOf(page).flatMap(({ level, text }) => (level === 2 ? [text] : [])))
    }
  )
})

describe('Snippets', () => {
  let linted: Record<string, string>
  beforeAll(() => {
    const wrong = readme.text.match(/^name: .*?(?=^```)/ms)?.[0].replace('runs-on', 'runs-no') ?? ''
    linted = lintAll({ ...Object.fromEntries(workflows.map(({ name, text }) => [name, forActionlint(text)])), wrong })
  })

  it.each(snippets)('$name is a workflow or inputs of the action, and the action takes them', ({ name, text }) => {
    const { errors, warnings } = parseDocument(text)
    expect([...errors, ...warnings]).toEqual([])
    expect(isWorkflow(text) ? workflowFaults(text) : inputFaults(text)).toEqual([])
    expect(linted[name] ?? '').toBe('')
  })

  it('are really linted', () => {
    expect(workflows.length).toBeGreaterThan(10)
    expect(linted.wrong).toMatch(/"runs-no"/)
  })

  it.each([
    ['          tests:', '          test:', /has no test$/],
    ['          image: ghcr.io/octo/app', '          image: ghcr.io/octo/App', /upper-case/],
    ['@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1', '@v7', /actions\/checkout@v7/],
    [OURS, OURS.replace(/@.*/, '@main'), /@main/],
    ['permissions: {}', 'permissions: write-all', /permissions/]
  ])('are really checked: with %j instead of %j a fault is found', (right, wrong, fault) => {
    const [example = ''] = readme.text.match(/^name: .*?(?=^```)/ms) ?? []
    expect(example).toContain(right)
    expect(workflowFaults(example.replace(right, wrong))).toContainEqual(expect.stringMatching(fault))
  })

  it.each([
    ['test: npm test', ['test']],
    ['tests: --rm', [expect.stringMatching(/^Input tests/)]]
  ])('of inputs are really checked: %s', (text, faults) => {
    expect(inputFaults(text)).toEqual(faults)
  })

  it.each(pages.flatMap((page) => fencesOf(page).filter(({ language }) => language === 'json')))(
    'of JSON are valid',
    ({ text }) => {
      expect(() => JSON.parse(text)).not.toThrow()
    }
  )
})

/** What an input of another action becomes here. */
const VERDICTS = ['same name', 'other name', 'not needed', 'not supported']

/** Inputs that docs/migration.md names before action.yml has them. */
const PLANNED =
  'annotations build-contexts no-cache no-cache-filters platforms provenance pull sbom secret-envs secret-files ulimit'.split(
    ' '
  )

describe('docs/migration.md', () => {
  const PARTS: [heading: string, inputs: string][] = [
    ["From the blog post's script", ''],
    [
      'From docker/build-push-action',
      'add-hosts allow annotations attests build-args build-contexts builder cache-from cache-to call cgroup-parent context file github-token labels load network no-cache no-cache-filters outputs platforms provenance pull push sbom secret-envs secret-files secrets shm-size ssh tags target ulimit'
    ],
    [
      'From Firehed/multistage-docker-build-action',
      'build-args context dockerfile parallel quiet repository server-stage stages tag-latest-on-default testenv-stage'
    ],
    [
      'From whoan/docker-build-with-cache-action',
      'build_extra_args compose_file context dockerfile image_name image_tag password pull_image_and_stages push_git_tag push_image_and_stages registry services_regex session stages_image_name username'
    ],
    [
      'From devcontainers/ci',
      'cacheFrom cacheTo checkoutPath configFile env eventFilterForPush imageName imageTag inheritEnv noCache platform push refFilterForPush runCmd skipContainerUserIdUpdate subFolder userDataFolder'
    ]
  ]

  it('has a part for each of them, and no other', () => {
    const headings = headingsOf(migration).flatMap(({ level, text }) => (level === 2 ? [text] : []))
    expect(headings).toEqual(PARTS.map(([heading]) => heading))
  })

  it.each(PARTS)('%s: a workflow before, without the action, and one after', (heading) => {
    const text = sectionOf(migration, heading)
    expect(text).toMatch(/^Before.*?^```yaml\n.*?^After:\n\n```yaml\n/ms)
    const uses = fencesOf({ text }).map((fence) => fence.text.includes(`uses: ${OURS}`))
    expect(uses).toEqual([false, true])
  })

  it.each(PARTS.slice(1))('%s: all inputs, in order, with what becomes of them', (heading, inputs) => {
    const [rows = []] = tablesOf(sectionOf(migration, heading))
    expect(rows.map(([name]) => name)).toEqual(inputs.split(' ').map((name) => `\`${name}\``))
    for (const [name = '', verdict = '', note = ''] of rows) {
      const here = name.replaceAll('`', '')
      expect(VERDICTS.map((one) => `${name} ${one}`)).toContain(`${name} ${verdict}`)
      if (verdict === 'same name') expect([...Object.keys(action.inputs), ...PLANNED]).toContain(here)
      // the first name in the note
      const [, other] = verdict === 'other name' ? (/`([\w-]+)/.exec(note) ?? []) : [undefined, 'push']
      expect({ name, other, isInput: [...Object.keys(action.inputs), ...PLANNED].includes(other ?? '') }).toEqual({
        ...{ name, other, isInput: true }
      })
    }
  })
})

describe('docs/troubleshooting.md', () => {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => readFileSync(join(root, 'src', path), 'utf8'))
    // a sentence whose parts the sources put together is in a recorded summary
    .concat(pagesIn('docs/summaries').map(({ text }) => text))
    .join('\n')
    .replaceAll("\\'", "'")
  const messages = headingsOf(troubleshooting).flatMap(({ level, text }) => (level === 3 ? [text] : []))

  /** The words of a message that are not in the sources. */
  function unknownWords(heading: string): string[] {
    const [, message = heading] = /^`(.*)`$/.exec(heading) ?? []
    return message
      .split(/…|: /)
      .map((part) => part.trim().replace(/:$/, ''))
      .filter((part) => part.length > 2 && !sources.includes(part))
  }

  it.each(messages)('%s is what the action says', (heading) => {
    expect(heading).toMatch(/^`.*`$/)
    expect(unknownWords(heading)).toEqual([])
  })

  const reference = 'octo/app:latest'
  const failureOf = (kind: FailureKind, message = 'x'): RegistryFailure => ({ kind, message })
  const push = (failure: RegistryFailure, holds?: string): Failure => ({
    ...{ kind: 'push', reference, failure },
    ...(holds !== undefined && { holds })
  })

  it.each<Failure>([
    { kind: 'engine-gone', message: 'EOF' },
    { kind: 'build', image: 'octo/app:fffffff' },
    { kind: 'test', index: 0 },
    { kind: 'miss', stage: 'builder' },
    push(failureOf('refused', 'unauthorized')),
    push(failureOf('refused', 'denied')),
    push(failureOf('refused', 'POST https://r/v2/a/blobs/uploads/?mount=sha256:1&from=base: 401')),
    push(failureOf('untrusted')),
    push(failureOf('unreachable')),
    push(failureOf('immutable')),
    push(failureOf('immutable'), 'another image'),
    push(failureOf('absent')),
    push(failureOf('unknown')),
    { kind: 'guard', reference, failure: failureOf('unreachable') },
    { kind: 'images-gone', message: 'x' },
    { kind: 'name-taken', reference },
    { kind: 'other-image', reference, pushed: 'sha256:1', built: 'sha256:2' }
  ])('says what to do about %j', (failure) => {
    const builder = { ...buildWith('octo/app:fffffff', ['builder', false]), misses: [MISS], failure: 'RUN a: no' }
    const [test] = GOOD.tests as [TestResult]
    const sentence = describeFailure(failure, {
      ...{ ...NOTHING, builder },
      tests: [{ ...test, status: 'failed', failure: 'exit code 1' }]
    })
    const found = messages.filter((message) => {
      const parts = message.slice(1, -1).split('…')
      return new RegExp(`^${parts.map(escaped).join('.*')}`).test(sentence)
    })
    expect({ sentence, found }).toEqual({ sentence, found: [expect.any(String)] })
  })

  it('is really compared with the sources', () => {
    expect(messages.length).toBeGreaterThan(40)
    expect(unknownWords('`Access granted to push …`')).toEqual(['Access granted to push'])
  })
})

describe('README.md', () => {
  it('has the order of a newcomer', () => {
    const headings = headingsOf(readme).flatMap(({ level, text }) => (level === 2 ? [text] : []))
    expect(headings).toEqual([
      'For whom',
      'What you need',
      'What it does not do',
      'Quick start',
      'What the first and the second run print',
      'Tags',
      'Inputs',
      'Outputs',
      'In more detail',
      'Documentation',
      'Try it'
    ])
  })

  it('says what the first and the second run really print', () => {
    const section = sectionOf(readme, 'What the first and the second run print')
    const blocks = section.match(/^```text\n[\s\S]*?^```\n\n(^\|.*\n)+/gm) ?? []
    expect(blocks).toHaveLength(2)
    for (const [index, name] of ['first-publish', 'warm'].entries()) {
      const json = readFileSync(join(root, `docs/summaries/${name}.json`), 'utf8')
      const report = JSON.parse(json.replaceAll('127.0.0.1:5000/octo/converter', 'ghcr.io/octo/app')) as Report
      const summary = makeSummary(report)
      const printed = [...plainText(summary).split('\n'), ...markdown(summary).split('\n')]
      const shown = (blocks[index] ?? '').split('\n').filter((line) => !line.startsWith('```'))
      expect(printed).toEqual(expect.arrayContaining(shown))
    }
  })

  it('links every page of docs, and every file of the root', () => {
    const linked = new Set([...readme.text.matchAll(/\]\(([\w/.-]+\.md)/g)].map(([, path]) => path))
    const paths = pagesIn('.', 'docs').map(({ path }) => path)
    expect(paths.filter((path) => path !== 'README.md' && !linked.has(path))).toEqual([])
  })

  it('has the commands that a clean checkout runs', () => {
    const [commands = ''] = fencesOf({ text: sectionOf(readme, 'Try it') }).map(({ text }) => text)
    expect(commands).toMatch(/^npm ci && npm run demo +#.*\nnpm ci && npm test +#.*\n$/)
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object }
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(['demo', 'test']))
  })
})
