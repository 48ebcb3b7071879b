import { describe, expect, it } from '@jest/globals'
import { TransferProgress } from '../../../../src/docker/progress/transfer.ts'

const id = (number: number): string => number.toString(16).padStart(12, '0')

/** What is shown of lines that come a second apart. */
function shown(...lines: string[]): string[] {
  let printed = ''
  let now = 0
  const progress = new TransferProgress(
    (text) => {
      printed += text
    },
    () => now
  )
  for (const line of lines) {
    progress.write(Buffer.from(`${line}\n`), 'stderr')
    now += 1_000
  }
  progress.end()
  return printed.trimEnd().split('\n')
}

describe('TransferProgress', () => {
  it('counts the layers of a push', () => {
    const lines = shown(
      'The push refers to repository [octo/app]',
      ...[1, 2, 3, 4].map((number) => `${id(number)}: Preparing`),
      `${id(4)}: Waiting`,
      `${id(1)}: Layer already exists`,
      `${id(2)}: Mounted from octo/base`,
      `${id(3)}: Pushed`,
      `${id(4)}: Pushed`,
      `latest: digest: sha256:${'a'.repeat(64)} size: 1`
    )
    expect(lines).toEqual([
      'The push refers to repository [octo/app]',
      '1 of 4 layers after 6 s',
      '3 of 4 layers after 8 s',
      `latest: digest: sha256:${'a'.repeat(64)} size: 1`,
      '4 layers: 1 layer already exists, 1 mounted, 2 pushed'
    ])
    expect(lines.join('\n')).not.toContain(id(1))
  })

  it('says of a failed one how far it came', () => {
    expect(shown(`${id(1)}: Preparing`, `${id(2)}: Pushed`, 'denied: no')).toEqual([
      'denied: no',
      '2 layers: 1 not ended, 1 pushed'
    ])
  })

  it('shows all else as it is', () => {
    expect(shown('latest: Pulling from octo/app', '', '0123: x', '::error::x')).toEqual([
      'latest: Pulling from octo/app',
      '',
      '0123: x',
      '::error::x'
    ])
  })

  it('shows few lines of many layers at once', () => {
    const layers = Array.from({ length: 500 }, (_, number) => id(number))
    let printed = ''
    const progress = new TransferProgress(
      (text) => {
        printed += text
      },
      () => 0
    )
    for (const state of ['Pulling fs layer', 'Waiting', 'Download complete', 'Pull complete']) {
      progress.write(Buffer.from(layers.map((layer) => `${layer}: ${state}\n`).join('')), 'stderr')
    }
    progress.end()
    expect(printed).toBe('500 layers: 500 pull complete\n')
  })
})
