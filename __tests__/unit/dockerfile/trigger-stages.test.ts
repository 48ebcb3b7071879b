import { describe, expect, it } from '@jest/globals'
import { parseDockerfile } from '../../../src/dockerfile/parse.ts'
import { rewriteDockerfile } from '../../../src/dockerfile/rewrite.ts'
import { splitLines } from '../../../src/dockerfile/source-text.ts'
import { copyFromImages, hasTriggers } from '../../../src/dockerfile/trigger-stages.ts'

const TEXT = `FROM a AS s0
ONBUILD RUN x
FROM a AS builder
RUN y
FROM s0
COPY --chown=1:1 \\
  --from=S0 /a /--from=s0
COPY --from="0" /b /b
COPY --from=builder /c /c
RUN --mount=type=bind,from=s0,target=/m echo --from=s0
ONBUILD COPY --from=s0 /d /d
`
const { stages, ...dockerfile } = parseDockerfile(TEXT)
const [first, second, third] = stages
const IMAGES = new Map([[0, 'img@sha256:0']])

describe('copyFromImages', () => {
  it('names images instead of stages in the flags, and changes nothing else', () => {
    const lines = splitLines(TEXT)
    if (third) copyFromImages(lines, stages, third, IMAGES)
    expect(lines.slice(5)).toEqual([
      'COPY --chown=1:1 \\\n',
      '  --from=img@sha256:0 /a /--from=s0\n',
      'COPY --from="img@sha256:0" /b /b\n',
      'COPY --from=builder /c /c\n',
      'RUN --mount=type=bind,from=img@sha256:0,target=/m echo --from=s0\n',
      'ONBUILD COPY --from=s0 /d /d\n'
    ])
    expect(lines.slice(0, 5)).toEqual(splitLines(TEXT).slice(0, 5))
  })
})

describe('hasTriggers', () => {
  it('is true for a stage with ONBUILD', () => {
    expect([first, second].map((stage) => stage && hasTriggers(stage))).toEqual([true, false])
  })
})

describe('A stage with triggers that an image replaces', () => {
  const rewritten = (handsOnArgs: boolean): string[] =>
    third ? rewriteDockerfile({ stages, ...dockerfile }, third, IMAGES, { handsOnArgs }).split('\n') : []

  it('executes none with the legacy builder: what is built on it does', () => {
    expect(rewritten(false).slice(0, 5)).toEqual([
      'FROM scratch AS s0',
      '',
      'FROM a AS builder',
      'RUN y',
      'FROM img@sha256:0'
    ])
  })

  it('hands ARGs of triggers on with BuildKit, and nothing copies from it', () => {
    expect(rewritten(true).slice(0, 6)).toEqual([
      'FROM img@sha256:0 AS s0',
      '',
      'FROM a AS builder',
      'RUN y',
      'FROM s0',
      'COPY --chown=1:1 \\'
    ])
    expect(rewritten(true)).toContain('  --from=img@sha256:0 /a /--from=s0')
  })
})
