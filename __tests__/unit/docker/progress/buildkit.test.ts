import { describe, expect, it } from '@jest/globals'
import { PlainProgress, RawJsonProgress } from '../../../../src/docker/progress/buildkit.ts'

const AT = '2026-01-01T00:00:0'

function rawJson(...statuses: object[]): { reader: RawJsonProgress; text: string } {
  let text = ''
  const reader = new RawJsonProgress((piece) => {
    text += piece
  })
  const bytes = Buffer.from(statuses.map((status) => `${JSON.stringify(status)}\n`).join(''))
  // in pieces that split lines
  for (let start = 0; start < bytes.length; start += 7) reader.write(bytes.subarray(start, start + 7), 'stderr')
  reader.end()
  return { reader, text }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

describe('RawJsonProgress', () => {
  it('reads executed, cached and failed steps and prints them as plain text', () => {
    const { reader, text } = rawJson(
      { vertexes: [{ digest: 'a', name: '[internal] load build definition' }] },
      {
        vertexes: [
          { digest: 'b', name: '[builder 1/3] FROM docker.io/library/node', started: `${AT}0Z`, completed: `${AT}1Z` }
        ]
      },
      {
        vertexes: [
          { digest: 'c', name: '[builder  2/13] RUN npm ci', started: `${AT}1Z`, completed: `${AT}1Z`, cached: true }
        ]
      },
      { vertexes: [{ digest: 'd', name: '[builder 3/3] RUN make', started: `${AT}1Z` }] },
      {
        logs: [
          { vertex: 'd', stream: 1, data: base64('one\ntw') },
          { vertex: 'd', stream: 1, data: base64('o\n') }
        ]
      },
      {
        vertexes: [
          {
            digest: 'd',
            name: '[builder 3/3] RUN make',
            started: `${AT}1Z`,
            completed: `${AT}3Z`,
            error: 'exit code: 2'
          }
        ]
      }
    )
    expect(reader.steps()).toEqual([
      { stage: 'builder', number: 2, instruction: 'RUN npm ci', cached: true, seconds: 0 },
      { stage: 'builder', number: 3, instruction: 'RUN make', cached: false, seconds: 2, error: 'exit code: 2' }
    ])
    expect(text).toBe(
      [
        '#1 [builder 1/3] FROM docker.io/library/node',
        '#1 DONE 1.0s',
        '#2 [builder  2/13] RUN npm ci',
        '#2 CACHED',
        '#3 [builder 3/3] RUN make',
        '#3 one',
        '#3 two',
        '#3 ERROR: exit code: 2',
        ''
      ].join('\n')
    )
  })

  it('takes a step for cached if any update says so', () => {
    const { reader } = rawJson(
      { vertexes: [{ digest: 'c', name: '[2/2] RUN x', started: `${AT}1Z`, completed: `${AT}1Z`, cached: true }] },
      { vertexes: [{ digest: 'c', name: '[2/2] RUN x', started: `${AT}2Z`, completed: `${AT}4Z` }] }
    )
    expect(reader.steps()).toEqual([{ stage: 'stage-0', number: 2, instruction: 'RUN x', cached: true, seconds: 2 }])
  })

  it('does not count a step that never ended', () => {
    const { reader } = rawJson({ vertexes: [{ digest: 'c', name: '[2/2] RUN x', started: `${AT}1Z` }] })
    expect(reader.steps()).toEqual([])
  })

  it.each([
    ['[linux/amd64 builder 2/3] RUN x', 'builder'],
    ['[linux/arm/v7 2/3] RUN x', 'stage-0'],
    ['[stage-1 2/3] RUN x', 'stage-1']
  ])('knows the stage of %s', (name, stage) => {
    const { reader } = rawJson({ vertexes: [{ digest: 'c', name, started: `${AT}1Z`, completed: `${AT}1Z` }] })
    expect(reader.steps()).toEqual([{ stage, number: 2, instruction: 'RUN x', cached: false, seconds: 0 }])
  })

  it.each([
    '[context builder] load metadata',
    'exporting to image',
    '[internal] load .dockerignore',
    '[auth] library/node:pull'
  ])('takes %s for no step', (name) => {
    const { reader } = rawJson({ vertexes: [{ digest: 'c', name, started: `${AT}1Z`, completed: `${AT}1Z` }] })
    expect(reader.steps()).toEqual([])
  })

  it('tells the base images, also of a stage of which nothing was needed', () => {
    const digest = `sha256:${'a'.repeat(64)}`
    const { reader } = rawJson({
      vertexes: [
        { digest: 'a', name: `[builder 1/3] FROM docker.io/library/node:24@${digest}` },
        { digest: 'b', name: '[stage-1 1/3] FROM r.io/local:1', completed: `${AT}1Z` },
        { digest: 'c', name: `[2/2] RUN echo "] FROM a@${digest}`, completed: `${AT}1Z` }
      ]
    })
    expect(reader.bases()).toEqual([{ reference: 'docker.io/library/node:24', digest }])
  })

  it('reads objects that are spread over lines, as buildx 0.13 prints them', () => {
    const reader = new RawJsonProgress(() => {})
    const vertexes = [{ digest: 'c', name: '[2/2] RUN x', started: `${AT}1Z`, completed: `${AT}2Z` }]
    reader.write(Buffer.from(`${JSON.stringify({ vertexes }, undefined, 2)}\n`), 'stderr')
    reader.write(Buffer.from('ERROR: no\n'), 'stderr')
    reader.end()
    expect(reader.steps()).toEqual([{ stage: 'stage-0', number: 2, instruction: 'RUN x', cached: false, seconds: 1 }])
    expect(reader.failure()).toBe('no')
  })

  it('tells which cache source could not be read', () => {
    const { reader } = rawJson({
      vertexes: [
        {
          digest: 'c',
          name: 'importing cache manifest from r.io/a:builder',
          started: `${AT}1Z`,
          completed: `${AT}1Z`,
          error: 'not found'
        }
      ]
    })
    expect(reader.unreadableCaches()).toEqual([{ reference: 'r.io/a:builder', error: 'not found' }])
  })

  it('passes on text and keeps the error in it', () => {
    let text = ''
    const reader = new RawJsonProgress((piece) => {
      text += piece
    })
    reader.write(Buffer.from('{"broken\nERROR: failed to solve: no space left'), 'stderr')
    reader.end()
    expect(text).toBe('{"broken\nERROR: failed to solve: no space left\n')
    expect(reader.failure()).toBe('failed to solve: no space left')
  })
})

describe('PlainProgress', () => {
  it('reads steps', () => {
    let text = ''
    const reader = new PlainProgress((piece) => {
      text += piece
    })
    reader.write(
      Buffer.from(
        [
          '#1 importing cache manifest from r.io/a:builder',
          '#1 ERROR: r.io/a:builder: not found',
          '',
          `#2 [builder 1/3] FROM r.io/base:1@sha256:${'a'.repeat(64)}`,
          `#2 sha256:${'b'.repeat(64)} 1.05MB / 29.12MB 0.1s`,
          `#2 extracting sha256:${'b'.repeat(64)} 0.2s done`,
          '#2 DONE 0.1s',
          '#3 [builder 2/3] RUN a',
          '#3 CACHED',
          '#4 [builder 3/3] RUN b',
          '#4 0.201 #3 CACHED',
          '#4 DONE 1.5s',
          '#5 [production 2/2] RUN c',
          '#5 ERROR: exit code: 1',
          'ERROR: failed to solve: exit code: 1'
        ].join('\n')
      ),
      'stderr'
    )
    reader.end()
    expect(reader.steps()).toEqual([
      { stage: 'builder', number: 2, instruction: 'RUN a', cached: true, seconds: 0 },
      { stage: 'builder', number: 3, instruction: 'RUN b', cached: false, seconds: 1.5 },
      { stage: 'production', number: 2, instruction: 'RUN c', cached: false, seconds: 0, error: 'exit code: 1' }
    ])
    expect(reader.bases()).toEqual([{ reference: 'r.io/base:1', digest: `sha256:${'a'.repeat(64)}` }])
    expect(reader.unreadableCaches()).toEqual([{ reference: 'r.io/a:builder', error: 'r.io/a:builder: not found' }])
    expect(reader.failure()).toBe('failed to solve: exit code: 1')
    expect(text).not.toContain('b'.repeat(64))
    expect(text).toContain('#4 0.201 #3 CACHED\n')
  })
})

describe('What a builder waits for', () => {
  const started = `${AT}0Z`
  const vertex = (name: string, more: object = {}): object => ({ vertexes: [{ digest: name, name, started, ...more }] })

  it.each([
    ['[internal] load metadata for docker.io/library/node:24', 'docker.io/library/node:24'],
    ['resolve image config for docker-image://docker.io/docker/dockerfile:1', 'docker.io/docker/dockerfile:1'],
    ['resolve image config for docker.io/docker/dockerfile:1', 'docker.io/docker/dockerfile:1']
  ])('is the manifest of an image: %s', (name, reference) => {
    expect(rawJson(vertex(name)).reader.pendingMetadata()).toEqual([reference])
    expect(rawJson(vertex(name), vertex(name, { completed: `${AT}1Z` })).reader.pendingMetadata()).toEqual([])
    const plain = new PlainProgress(() => {})
    plain.write(Buffer.from(`#3 ${name}\n`), 'stderr')
    expect(plain.pendingMetadata()).toEqual([reference])
    plain.write(Buffer.from('#3 DONE 0.1s\n'), 'stderr')
    expect(plain.pendingMetadata()).toEqual([])
  })

  it.each([
    ['[builder 3/3] RUN make', true],
    ['[builder 3/3] COPY a a', false],
    ['[builder 1/3] FROM docker.io/library/node:24', false],
    ['[internal] load build context', false]
  ])('is a command of the Dockerfile: %s, %s', (name, isRunning) => {
    expect(rawJson(vertex(name)).reader.isRunning()).toBe(isRunning)
    expect(rawJson(vertex(name), vertex(name, { completed: `${AT}1Z` })).reader.isRunning()).toBe(false)
    const plain = new PlainProgress(() => {})
    plain.write(Buffer.from(`#3 ${name}\n`), 'stderr')
    expect(plain.isRunning()).toBe(isRunning)
    plain.write(Buffer.from('#3 CACHED\n'), 'stderr')
    expect(plain.isRunning()).toBe(false)
  })

  it('is no news if only the state of a transfer is repeated', () => {
    const reader = new RawJsonProgress(() => {})
    const news = (status: object): boolean => {
      const before = reader.news()
      reader.write(Buffer.from(`${JSON.stringify(status)}\n`), 'stderr')
      return reader.news() !== before
    }
    const layer = (current: number): object => ({ statuses: [{ id: 'sha256:1', vertex: 'a', current, total: 9 }] })
    expect([vertex('[1/2] FROM a'), layer(1), layer(1), layer(2), layer(2)].map(news)).toEqual([
      true,
      true,
      false,
      true,
      false
    ])
    const digest = `sha256:${'1'.repeat(64)}`
    const plain = new PlainProgress(() => {})
    const told = ['1.05MB / 9MB 0.1s', '1.05MB / 9MB 5.1s', '2.10MB / 9MB 5.2s', '9MB / 9MB 6.0s done'].map((state) => {
      const before = plain.news()
      plain.write(Buffer.from(`#4 ${digest} ${state}\n`), 'stderr')
      return plain.news() !== before
    })
    expect(told).toEqual([true, false, true, true])
  })
})

describe.each([
  ['rawjson', RawJsonProgress],
  ['plain', PlainProgress]
])('An error without a step, with progress %s', (_, Progress) => {
  it('names the line of the Dockerfile that BuildKit quotes first', () => {
    const progress = new Progress(() => {})
    const quote = (line: number): string =>
      `Dockerfile:${line}\n${'-'.repeat(20)}\n  ${line} | >>> COPY --from=b / /\n${'-'.repeat(20)}\n`
    progress.write(
      Buffer.from(`${quote(29)}${quote(15)}ERROR: failed to solve: circular dependency detected on stage: b\n`),
      'stderr'
    )
    progress.end()
    expect(progress.failure()).toBe('failed to solve: circular dependency detected on stage: b (line 29)')
  })

  it('names no line twice', () => {
    const progress = new Progress(() => {})
    progress.write(
      Buffer.from(`Dockerfile:4\n${'-'.repeat(20)}\nERROR: dockerfile parse error on line 4: unknown flag: form\n`),
      'stderr'
    )
    expect(progress.failure()).toBe('dockerfile parse error on line 4: unknown flag: form')
  })
})

it('PlainProgress knows the words of Docker 20.10', () => {
  const progress = new PlainProgress(() => {})
  progress.write(
    Buffer.from('failed to solve with frontend dockerfile.v0: dockerfile parse error line 4: Unknown flag: form\n'),
    'stderr'
  )
  expect(progress.failure()).toBe('dockerfile parse error line 4: Unknown flag: form')
})
