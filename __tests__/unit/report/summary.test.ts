import { describe, expect, it } from '@jest/globals'
import type { Plan } from '../../../src/plan/plan.ts'
import { markdown } from '../../../src/report/markdown.ts'
import { makeOutputs, type Outputs } from '../../../src/report/outputs.ts'
import { makeReport } from '../../../src/report/report.ts'
import { makeSummary } from '../../../src/report/summary.ts'
import { describeUnexpected, judgeCache, judgeMisses } from '../../../src/result/cache-verdict.ts'
import type { Build, Miss, RunResult } from '../../../src/result/result.ts'

function build(image: string, ...steps: [stage: string, cached: boolean][]): Build {
  return {
    kind: 'builder',
    stage: 'builder',
    image,
    cacheSource: `${image}-cache`,
    imageId: 'sha256:1',
    seconds: 1,
    steps: steps.map(([stage, cached], index) => ({
      stage,
      cached,
      instruction: 'RUN a',
      line: index + 1,
      seconds: 1
    })),
    bases: [],
    unreadableCaches: []
  }
}

function outputsOf(plan: Plan | undefined, result: RunResult, path: string): Outputs {
  return makeOutputs(makeReport(plan, result, []), path)
}

function summaryOf(plan: Plan | undefined, result: RunResult): string {
  return markdown(makeSummary(makeReport(plan, result, [])))
}

const NOTHING: RunResult = { cacheStages: [], tests: [], cancelled: false, failures: [] }

const MISS: Miss = {
  stage: 'builder',
  instruction: 'RUN a',
  line: 2,
  kind: 'unknown',
  reason: 'It is not known.',
  unexpected: true
}

/** As much of a plan as reports read. */
const PLAN = {
  build: { sha: 'f'.repeat(40), shortSha: 'fffffff', branch: 'master', event: 'push' },
  engine: { version: '28.5.1', store: 'overlay2' },
  strategy: { name: 'inline', reason: 'it is a test' },
  refs: { production: 'octo/app:fffffff' },
  decision: { push: true, publish: true, reason: 'It is a test.' }
} as unknown as Plan

const GOOD: RunResult = {
  builder: build('octo/app:builder-fffffff', ['builder', true], ['builder', false]),
  cacheStages: [],
  production: build('octo/app:fffffff', ['stage-1', true]),
  tests: [{ command: 'npm test', status: 'passed', exitCode: 0, seconds: 1.25 }],
  publication: {
    pushed: ['octo/app:fffffff', 'octo/app:latest'],
    published: true,
    digest: 'sha256:2',
    digests: { 'octo/app:fffffff': 'sha256:2', 'octo/app:latest': 'sha256:2' },
    held: [],
    seconds: 1,
    failures: []
  },
  cancelled: false,
  failures: []
}

/** Its image was there already. */
const UNCHANGED: RunResult = {
  ...NOTHING,
  unchanged: { image: 'octo/app@sha256:3', digest: 'sha256:3', commit: 'abc', builderCommit: 'abc' },
  tests: [{ command: 'npm test', status: 'unchanged', exitCode: null, seconds: 0, passedFor: 'abc' }],
  publication: {
    pushed: ['octo/app:fffffff'],
    published: true,
    digest: 'sha256:3',
    digests: {},
    held: [],
    seconds: 1,
    failures: []
  }
}

describe('judgeCache', () => {
  it.each<[string, RunResult, object]>([
    ['no builds', NOTHING, { hit: 'none', cached: 0, total: 0, stages: [] }],
    ['no steps', { ...NOTHING, builder: build('b'), production: build('p') }, { hit: 'none', cached: 0, total: 0 }],
    ['nothing cached', { ...NOTHING, builder: build('b', ['a', false]) }, { hit: 'none', cached: 0, total: 1 }],
    [
      'all of the builder, but none of production',
      { ...NOTHING, builder: build('b', ['a', true]), production: build('p', ['c', false]) },
      { hit: 'partial', cached: 1, total: 2 }
    ],
    [
      'all of both',
      { ...NOTHING, builder: build('b', ['a', true]), production: build('p', ['c', true]) },
      { hit: 'full', cached: 2, total: 2 }
    ],
    [
      'a step that two builds have counts once, as executed if one of them executed it',
      { ...NOTHING, builder: build('b', ['a', true], ['b', false]), production: build('p', ['a', false]) },
      {
        cached: 0,
        total: 2,
        stages: [
          { stage: 'a', cached: 0, total: 1 },
          { stage: 'b', cached: 0, total: 1 }
        ]
      }
    ],
    [
      'further stages',
      { ...NOTHING, builder: build('b', ['a', true]), cacheStages: [build('c', ['c', true])] },
      { hit: 'full', cached: 2, total: 2 }
    ]
  ])('%s', (_, result, expected) => {
    expect(judgeCache(result)).toMatchObject(expected)
  })
})

describe('judgeMisses', () => {
  const result = {
    ...NOTHING,
    builder: { ...build('b', ['builder', false]), misses: [{ ...MISS, unexpected: false }] },
    cacheStages: [{ ...build('c', ['builder', false]), misses: [MISS] }]
  }
  const sentence =
    'Stage builder was built again although nothing that it depends on has changed: line 2: RUN a. It is not known.'

  it.each([
    ['none', true, { warnings: [], failures: [] }],
    ['warn', true, { warnings: [sentence], failures: [] }],
    ['fail', true, { warnings: [], failures: [sentence] }],
    // another branch may be cut from a commit that was never published
    ['fail', false, { warnings: [], failures: [] }]
  ] as const)('expect-cache %s, publishing: %s', (expected, publishes, judged) => {
    const { warnings, failures } = judgeMisses(result, expected, publishes)
    expect({ warnings: warnings.map(describeUnexpected), failures: failures.map(describeUnexpected) }).toEqual(judged)
  })
})

describe('makeOutputs', () => {
  it('of a run that published', () => {
    expect(outputsOf(PLAN, GOOD, '/report')).toEqual({
      image: 'octo/app:fffffff',
      'short-sha': 'fffffff',
      branch: 'master',
      'builder-image': 'octo/app:builder-fffffff',
      'image-id': 'sha256:1',
      digest: 'sha256:2',
      tags: 'octo/app:fffffff\nocto/app:latest',
      pushed: 'true',
      published: 'true',
      'publish-reason': 'It is a test.',
      'cache-hit': 'partial',
      'cached-steps': '2',
      'total-steps': '3',
      'pull-bytes': '',
      'pull-bytes-full': '',
      cache: '[{"stage":"builder","cached":1,"total":2},{"stage":"stage-1","cached":1,"total":1}]',
      tests: '[{"command":"npm test","status":"passed","exitCode":0,"seconds":1.25}]',
      engine: '{"version":"28.5.1","store":"overlay2","strategy":"inline"}',
      report: '/report'
    })
  })

  it('of a run that ended before it began: every one is set', () => {
    const outputs = outputsOf(undefined, { ...NOTHING, failures: ['no'] }, '')
    expect(Object.keys(outputs)).toEqual(Object.keys(outputsOf(PLAN, GOOD, '')))
    expect(Object.values(outputs).every((value) => typeof value === 'string')).toBe(true)
    expect(outputs).toMatchObject({ pushed: 'false', published: 'false', cache: '[]', tests: '[]', engine: '{}' })
  })

  it('tell the first executed step of a stage and why', () => {
    const builder = { ...build('b', ['builder', true], ['builder', false]), misses: [MISS] }
    expect(JSON.parse(outputsOf(PLAN, { ...GOOD, builder }, '').cache)[0]).toEqual({
      stage: 'builder',
      cached: 1,
      total: 2,
      miss: { instruction: 'RUN a', line: 2, kind: 'unknown', reason: 'It is not known.', unexpected: true }
    })
  })

  it('of a run for which nothing had to be built', () => {
    expect(outputsOf(PLAN, UNCHANGED, '')).toMatchObject({
      image: 'octo/app:fffffff',
      'builder-image': '',
      'image-id': '',
      digest: 'sha256:3',
      pushed: 'true',
      'cache-hit': 'full',
      'total-steps': '0',
      tests: '[{"command":"npm test","status":"unchanged","exitCode":null,"seconds":0,"passedFor":"abc"}]'
    })
    const { publication: _, ...notPushed } = UNCHANGED
    expect(outputsOf(PLAN, notPushed, '')).toMatchObject({ image: 'octo/app@sha256:3', digest: '', pushed: 'false' })
    const summary = summaryOf(PLAN, UNCHANGED)
    expect(summary).toMatch(/^### ✅ Tagged and published octo\/app:fffffff\n/)
    expect(summary).toContain('Nothing has changed since commit abc')
    expect(summary).toContain('| npm test | unchanged: passed for abc | 0.0 s |')
  })

  it('names no image that was not built', () => {
    const failed = { ...build('x'), imageId: '', failure: 'no' }
    const outputs = outputsOf(PLAN, { ...NOTHING, builder: failed, production: failed, failures: ['no'] }, '')
    expect(outputs).toMatchObject({ image: '', 'builder-image': '', 'image-id': '' })
  })

  const pushFailed = {
    pushed: ['octo/app:fffffff'],
    published: false,
    digest: 'sha256:2',
    digests: { 'octo/app:fffffff': 'sha256:2', 'octo/app:latest': 'sha256:2' },
    held: [],
    seconds: 1,
    failures: ['no']
  }

  it.each<[string, Plan | undefined, RunResult, string]>([
    [
      'a push failed',
      PLAN,
      { ...GOOD, publication: pushFailed, failures: ['no'] },
      'Only octo/app:fffffff was pushed, because publishing failed.'
    ],
    ['a test failed', PLAN, { ...NOTHING, failures: ['no'] }, 'Nothing was pushed, because the run failed.'],
    ['nothing is known', undefined, NOTHING, 'Nothing was pushed, because the run failed.'],
    ['all is well', PLAN, NOTHING, 'It is a test.'],
    [
      'a moving tag was held',
      PLAN,
      { ...GOOD, publication: { ...pushFailed, failures: [], held: [{ reference: 'x', reason: 'x was left' }] } },
      'It is a test. x was left.'
    ]
  ])('tell why, if %s', (_, plan, result, expected) => {
    expect(outputsOf(plan, result, '')['publish-reason']).toBe(expected)
  })
})

describe('makeReport', () => {
  it('has of a cache that could not be read only the words', () => {
    const unreadableCaches = [{ reference: 'a:b', failure: { kind: 'refused' as const, message: '401', pause: 1 } }]
    const builder = { ...build('b'), unreadableCaches }
    const { builder: reported } = makeReport(PLAN, { ...NOTHING, builder }, [])
    expect(reported?.unreadableCaches).toEqual([{ reference: 'a:b', error: '401' }])
  })
})

describe('makeSummary', () => {
  it('of a run that published', () => {
    const pullSize = { previous: 'octo/app:latest', bytes: 1_500, fullBytes: 118_300_000, layers: 12, reusedLayers: 10 }
    expect(summaryOf(PLAN, { ...GOOD, pullSize }).split('\n')).toEqual([
      '### ✅ Built, tested and published octo/app:fffffff',
      '',
      'It is a test.',
      '',
      '2 of 3 steps came from the cache.',
      '',
      'A host that has octo/app:latest pulls 1.5 kB of 118.3 MB: it has 10 of 12 layers already.',
      '',
      '| phase | result | time |',
      '| --- | --- | --- |',
      '| Build builder | 1 of 2 steps from the cache | 1.0 s |',
      '| Build builder | 1 of 1 steps from the cache | 1.0 s |',
      '| Test | 1 of 1 passed | 0.0 s |',
      '| Publish | 2 references | 1.0 s |',
      '',
      '| test | status | time |',
      '| --- | --- | --- |',
      '| npm test | passed | 1.3 s |',
      '',
      '| stage | steps from the cache | first step executed | why |',
      '| --- | --- | --- | --- |',
      '| builder | 1 of 2 |  |  |',
      '| stage-1 | 1 of 1 |  |  |',
      '',
      '| pushed | digest |',
      '| --- | --- |',
      '| octo/app:fffffff | sha256:2 |',
      '| octo/app:latest | sha256:2 |',
      '',
      'Docker 28.5.1, overlay2 store; strategy inline: it is a test.',
      ''
    ])
  })

  const HOSTILE = [
    '<img src=x onerror=alert(1)>',
    '<!-- x',
    '&lt;b&gt;',
    '[a](http://evil)',
    '![a](b)',
    '**a** __b__ ~~c~~',
    '`code` ```',
    'a|b',
    'a\\|b',
    'a\n\n# heading',
    'a\r\n| x | y | z |',
    'a\u2028b\u0085c\tb',
    '@octocat #1 GH-1',
    'https://evil.example',
    '$a$ {b}'
  ]

  it.each(HOSTILE)('shows %j as text', (hostile) => {
    const summary = summaryOf(PLAN, {
      ...GOOD,
      builder: {
        ...build('b', [hostile, false]),
        misses: [{ ...MISS, stage: hostile, instruction: hostile, reason: hostile }]
      },
      tests: [
        {
          ...{ command: hostile, status: 'failed', exitCode: 1, seconds: 1, failure: hostile },
          failedCases: [{ name: hostile, message: hostile }]
        }
      ],
      failures: [hostile],
      publication: {
        ...{ pushed: [hostile], published: false, digest: '', digests: { [hostile]: hostile } },
        ...{ held: [], seconds: 0, failures: [] }
      }
    })
    // a row for each, with as many cells as its table has
    const tables = summary.split('\n\n').filter((part) => part.startsWith('|'))
    expect(tables.map((table) => table.split('\n').map((row) => row.split('|').length - 2))).toEqual([
      [3, 3, 3, 3, 3, 3],
      ...[
        [3, 3, 3],
        [3, 3, 3],
        [4, 4, 4, 4],
        [2, 2, 2]
      ]
    ])
    for (const line of summary.split('\n').filter((candidate) => !/^(###|\|( --- \|)+$)/.test(candidate))) {
      const shown = line
        .replace(/^- /, '')
        .replace(/^\| (.*) \|$/, '$1')
        .split(' | ')
        .join('')
      // what is left once character references are gone has no meaning in Markdown or HTML
      expect(shown.replaceAll(/&(#\d+|amp|lt);/g, '')).not.toMatch(/[<&`*_[\]|\\#@~!\p{Cc}\u2028\u2029]|:\/\//u)
    }
  })

  it.each([
    [200, 200],
    [300, 201]
  ])('shows of a command of %i characters %i', (length, shown) => {
    const tests = [{ command: 'x'.repeat(length), status: 'passed' as const, exitCode: 0, seconds: 1 }]
    expect(/^\| (x+…?) \| passed/m.exec(summaryOf(PLAN, { ...NOTHING, tests }))?.[1]).toHaveLength(shown)
  })

  it('keeps the last lines of a test within their fence', () => {
    const lastLines = 'a\n```\n<b>\n````\n'
    const tests = [{ command: 'a', status: 'failed' as const, exitCode: 1, seconds: 1, failure: 'no', lastLines }]
    expect(summaryOf(PLAN, { ...NOTHING, tests })).toContain(`\n\`\`\`\`\`\n${lastLines}\n\`\`\`\`\`\n`)
  })

  it('cuts no character in two', () => {
    const tests = [{ command: `x${'😀'.repeat(150)}`, status: 'passed' as const, exitCode: 0, seconds: 1 }]
    expect(summaryOf(PLAN, { ...NOTHING, tests })).not.toMatch(/\p{Cs}/u)
  })

  it('stays below what GitHub takes, whatever failed', () => {
    const tests = Array.from({ length: 2_000 }, (_, index) => ({
      command: `${index} ${'|'.repeat(300)}`,
      status: 'failed' as const,
      exitCode: 1,
      seconds: 1
    }))
    const failures = tests.map(({ command }) => command)
    expect(Buffer.byteLength(summaryOf(PLAN, { ...NOTHING, tests, failures }))).toBeLessThan(1_048_576)
    const one = summaryOf(PLAN, { ...NOTHING, failures: ['|'.repeat(300_000)] })
    expect(Buffer.byteLength(one)).toBeLessThan(1_048_576)
  })

  it('tells a cancelled run from a failed one', () => {
    expect(summaryOf(undefined, { ...NOTHING, failures: ['x'] })).toMatch(
      /^### ❌ The run failed: nothing was pushed\n/
    )
    expect(summaryOf(undefined, { ...NOTHING, cancelled: true, failures: ['x'] })).toMatch(
      /^### ⏹️ The run was cancelled: nothing was pushed\n/
    )
  })
})
