import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { Log } from '../../../src/lib/log.ts'

let folder: string
let printed: string
let log: Log

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'log-'))
  printed = ''
  log = new Log(folder, false, (text) => {
    printed += text
  })
})

afterEach(() => {
  rmSync(folder, { recursive: true })
})

/** What was printed, with every random token written as TOKEN. */
function shown(): string[] {
  const tokens = [...printed.matchAll(/::stop-commands::(\S+)/g)].map(([, token]) => token ?? '')
  expect(new Set(tokens).size).toBe(tokens.length)
  return tokens
    .reduce((text, token) => text.replaceAll(token, 'TOKEN'), printed)
    .trimEnd()
    .split('\n')
}

describe('Log', () => {
  it('prints a section live, with workflow commands stopped', () => {
    const section = log.section('Test a')
    section.write('::set-output name=x::y\n##[error] no')
    expect(printed).toContain('##[error] no')
    section.end()
    expect(shown()).toEqual([
      '::group::Test a',
      '::stop-commands::TOKEN',
      '::set-output name=x::y',
      '##[error] no',
      '::TOKEN::',
      '::endgroup::',
      expect.stringMatching(/^Test a: \d+\.\d s$/)
    ])
  })

  it('says how long a section took: in its title, or after it where the title was printed before', () => {
    const a = log.section('a')
    const b = log.section('b')
    b.end('passed')
    a.end('failed')
    expect(shown().filter((line) => /^(::group::)?[ab]/.test(line))).toEqual([
      '::group::a',
      expect.stringMatching(/^a: failed after \d+\.\d s$/),
      expect.stringMatching(/^::group::b \(passed after \d+\.\d s\)$/)
    ])
  })

  it('prints for a terminal no workflow command', () => {
    const terminal = new Log(folder, true, (text) => {
      printed += text
    })
    const section = terminal.section('Test a')
    section.write('printed')
    terminal.warning('careful', { title: 't' })
    section.end()
    terminal.end()
    expect(printed).toMatch(/^▸ Test a\nprinted\nTest a: \d+\.\d s\nWarning: careful\n$/)
  })

  it('goes on where the disk is full: what waits is lost from there on, and that is said', () => {
    const live = log.section('live')
    const waiting = log.section('waiting')
    waiting.write('kept\n')
    // as good as full: nothing can be written there any more
    rmSync(folder, { recursive: true })
    waiting.write('lost\n')
    waiting.write('lost, too\n')
    live.write('shown\n')
    live.end()
    waiting.write('shown again\n')
    waiting.end()
    log.info('after it')
    expect(shown()).toEqual([
      '::group::live',
      '::stop-commands::TOKEN',
      'shown',
      '::TOKEN::',
      '::endgroup::',
      expect.stringMatching(/^live: /),
      '::group::waiting',
      '::stop-commands::TOKEN',
      '',
      expect.stringMatching(/^… what follows could not be kept: .*ENOENT.* …$/),
      'shown again',
      '::TOKEN::',
      '::endgroup::',
      expect.stringMatching(/^waiting: /),
      'after it'
    ])
    mkdirSync(folder)
  })

  it('keeps what others print until the live section has ended, finished ones first', () => {
    const a = log.section('a')
    const b = log.section('b')
    const c = log.section('c')
    b.write('b1\n')
    a.write('a1\n')
    c.write(Buffer.from('c1\n'))
    c.end()
    log.info('said')
    a.end()
    b.write('b2\n')
    b.end()
    expect(shown().filter((line) => /^[abc]\d$|said/.test(line))).toEqual(['a1', 'said', 'c1', 'b1', 'b2'])
  })

  it('never prints a message of ours while commands are stopped', () => {
    const a = log.section('a')
    log.info('ours')
    expect(printed).not.toContain('ours')
    a.end()
    expect(shown().at(-1)).toBe('ours')
  })

  it('leaves out the middle of a long section, live or not', () => {
    const [live, waiting] = [log.section('Test a'), log.section('Test b')]
    for (const section of [live, waiting]) {
      section.write('first line\n')
      for (let line = 0; line < 6_000; line++) section.write(`${'x'.repeat(1_023)}\n`)
      section.write('last line\n')
    }
    live.end()
    waiting.end()
    expect(printed.length).toBeLessThan(9_000_000)
    for (const text of printed.split('::endgroup::').slice(0, 2)) {
      expect(text).toMatch(/::stop-commands::.*\nfirst line\nx/)
      // 11 + 6,000 × 1,024 + 10 bytes, without the first 4 MiB and the last 64 KiB
      expect(text).toContain('\n… 1884181 bytes are left out …\n')
      expect(text).toMatch(/x\nlast line\n::/)
    }
  })

  it('ignores what comes after the end', () => {
    const a = log.section('a')
    a.end()
    a.write('late')
    a.end()
    expect(printed).not.toContain('late')
  })
})

describe('Annotations', () => {
  /** What @actions/core printed, which has the standard output alone. */
  function annotate(count: number): string[] {
    const lines: string[] = []
    const spy = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
      lines.push(String(text).trimEnd())
      return true
    })
    try {
      for (let number = 1; number <= count; number++) log.warning(`w${number}`, { title: 'T', file: 'a', startLine: 3 })
      log.error('e')
      log.end()
    } finally {
      spy.mockRestore()
    }
    return lines
  }

  it.each([9, 10])('%i of a kind are all there', (count) => {
    const lines = annotate(count)
    expect(lines.filter((line) => line.startsWith('::warning'))).toHaveLength(count)
    expect(lines[0]).toBe('::warning title=T,file=a,line=3::w1')
    expect(lines).toContain('::error::e')
  })

  it('of more than ten the rest are counted, and in the log', () => {
    const lines = annotate(25)
    expect(lines.filter((line) => line.startsWith('::warning'))).toEqual([
      ...Array.from({ length: 9 }, (_, index) => `::warning title=T,file=a,line=3::w${index + 1}`),
      '::warning::16 more warnings are in the log'
    ])
    expect(printed).toContain('Warning: w25\n')
  })
})
