import { describe, expect, it } from '@jest/globals'
import { LegacyProgress } from '../../../../src/docker/progress/legacy.ts'
import type { Stream } from '../../../../src/lib/exec.ts'

describe('LegacyProgress', () => {
  it('does not take for a failure what a step that went well printed last', () => {
    const reader = new LegacyProgress(() => {})
    const lines = [
      'Step 1/2 : FROM base',
      'Step 2/2 : RUN b',
      'COPY failed: x',
      ' ---> 3123456789ab',
      'Successfully built 3'
    ]
    reader.write(Buffer.from(`${lines.join('\n')}\n`), 'stdout')
    reader.end()
    expect(reader.steps()).toMatchObject([{ instruction: 'RUN b' }])
    expect(reader.steps()[0]).not.toHaveProperty('error')
  })

  it('reads steps, their stages and their time', () => {
    let now = 0
    let text = ''
    const reader = new LegacyProgress(
      (piece) => {
        text += piece
      },
      () => now
    )
    const write = (seconds: number, line: string, stream: Stream = 'stdout'): void => {
      now = seconds * 1_000
      reader.write(Buffer.from(`${line}\n`), stream)
    }
    write(0, 'Step 1/7 : ARG BASE=base')
    write(0, 'Step 1/6 : FROM base as Builder')
    write(0, '4fdb4f3aa105: Already exists')
    write(0, ' ---> 0123456789ab')
    write(1, 'Step 2/6 : RUN a')
    write(1, ' ---> Using cache')
    write(1, ' ---> 1123456789ab')
    write(2, 'Step 3/6 : RUN b')
    write(2, ' ---> Running in 2123456789ab')
    write(4, ' ---> Using cache is what b printed')
    write(4, 'COPY failed: is what b printed')
    write(4, '4fdb4f3aa105: What b printed')
    write(4, ' ---> 3123456789ab')
    write(5, 'Step 4/6 : FROM base')
    write(7, 'Step 5/6 : COPY --from=builder /a /a')
    write(9, 'COPY failed: no such file', 'stderr')
    reader.end()
    expect(reader.steps()).toEqual([
      { stage: 'builder', number: 2, instruction: 'RUN a', cached: true, seconds: 1 },
      { stage: 'builder', number: 3, instruction: 'RUN b', cached: false, seconds: 3 },
      {
        ...{ stage: 'stage-1', number: 5, instruction: 'COPY --from=builder /a /a', cached: false, seconds: 2 },
        error: 'COPY failed: no such file'
      }
    ])
    expect(reader.failure()).toBe('COPY failed: no such file')
    expect(text).toContain('Step 3/6 : RUN b\n')
    expect(text).not.toContain('Already exists')
    expect(text).toContain('4fdb4f3aa105: What b printed\n')
  })
})

describe('The message of a failure', () => {
  const failing: [string, Stream][] = [
    ['DEPRECATED: The legacy builder is deprecated.\n            Install buildx:\n\n', 'stderr'],
    ['Sending build context to Docker daemon  5kB\r\r\n', 'stdout'],
    ['Step 1/2 : FROM base\n ---> 0123456789ab\nStep 2/2 : RUN a\n', 'stdout'],
    [' ---> Running in 1123456789ab\nwhat a printed\n', 'stdout'],
    ["The command '/bin/sh -c a' returned a non-zero code: 2\n", 'stderr']
  ]
  const read = (chunks: [string, Stream][]): LegacyProgress => {
    const reader = new LegacyProgress(() => {})
    for (const [text, stream] of chunks) reader.write(Buffer.from(text), stream)
    reader.end()
    return reader
  }
  const fromStderr = ([, stream]: [string, Stream]): boolean => stream === 'stderr'

  it.each([
    ['after the output', failing],
    ['before the output', [...failing.filter(fromStderr), ...failing.filter((one) => !fromStderr(one))]],
    [
      'within a line of the output',
      failing.toSpliced(3, 2, [' ---> Running ', 'stdout'], ...failing.slice(4), ['in 1\n', 'stdout'])
    ]
  ] satisfies [string, [string, Stream][]][])('is what docker printed on standard error, %s', (_, chunks) => {
    const reader = read(chunks)
    const message = "The command '/bin/sh -c a' returned a non-zero code: 2"
    expect(reader.failure()).toBe(message)
    expect(reader.steps()).toMatchObject([{ instruction: 'RUN a', error: message }])
  })

  it('is the last output if docker printed none', () => {
    expect(read(failing.slice(0, 4)).failure()).toBe('what a printed')
  })
})

describe('isRunning', () => {
  it('is true between a RUN and the next step', () => {
    const reader = new LegacyProgress(() => {})
    const after = (line: string): boolean => {
      reader.write(Buffer.from(`${line}\n`), 'stdout')
      return reader.isRunning()
    }
    expect(
      ['Step 1/4 : FROM a', 'Step 2/4 : COPY a a', 'Step 3/4 : RUN make', 'made', 'Step 4/4 : COPY b b'].map(after)
    ).toEqual([false, false, true, true, false])
    expect(reader.news()).toBe(5)
  })
})
