import { describe, expect, it } from '@jest/globals'
import { DockerfileError } from '../../../src/dockerfile/model.ts'
import { parseDockerfile } from '../../../src/dockerfile/parse.ts'
import { rewriteDockerfile } from '../../../src/dockerfile/rewrite.ts'
import { stagesNeededFor } from '../../../src/dockerfile/stage-graph.ts'
import { IMAGE, replace, stageOf, text } from '../../support/dockerfiles.ts'

describe('rewriteDockerfile', () => {
  const cases: [what: string, stage: string, target: string, before: string[], after: string[]][] = [
    [
      'the usual two stages',
      'builder',
      'prod',
      [
        'FROM go AS builder',
        'WORKDIR /src',
        'COPY . .',
        'RUN make',
        '',
        '# prod',
        'FROM alpine AS prod',
        'COPY --from=builder /a /a'
      ],
      [`FROM ${IMAGE} AS builder`, '', '', '', '', '# prod', 'FROM alpine AS prod', 'COPY --from=builder /a /a']
    ],
    [
      'ARG before FROM, directives and names in any case stay',
      'BUILDER',
      '1',
      [
        '# syntax=docker/dockerfile:1',
        '# escape=\\',
        'ARG V=1',
        'from go:$V as BuilDer',
        'ARG V',
        'RUN \\',
        '  make',
        'FROM alpine',
        'ARG V',
        'COPY --from=builder a b'
      ],
      [
        '# syntax=docker/dockerfile:1',
        '# escape=\\',
        'ARG V=1',
        `from ${IMAGE} as BuilDer`,
        '',
        '',
        '',
        'FROM alpine',
        'ARG V',
        'COPY --from=builder a b'
      ]
    ],
    [
      'backticks as continuations',
      'builder',
      'prod',
      [
        '# escape=`',
        'FROM a `',
        '  AS builder',
        'COPY a C:\\',
        'RUN a `',
        '  FROM no',
        'FROM b `',
        ' AS prod',
        'COPY --from=builder a C:\\'
      ],
      ['# escape=`', `FROM ${IMAGE} AS builder`, '', '', '', '', 'FROM b `', ' AS prod', 'COPY --from=builder a C:\\']
    ],
    [
      'a stage without a name, used by number',
      '0',
      '1',
      ['FROM go', 'RUN make', 'FROM alpine', 'COPY --from=0 a b'],
      [`FROM ${IMAGE}`, '', 'FROM alpine', 'COPY --from=0 a b']
    ],
    [
      'a stage built on another, which nothing else needs',
      'builder',
      'prod',
      ['FROM go AS deps', 'RUN get', 'FROM deps AS builder', 'RUN make', 'FROM alpine AS prod', 'COPY --from=1 a b'],
      [`FROM ${IMAGE} AS deps`, '', `FROM ${IMAGE} AS builder`, '', 'FROM alpine AS prod', 'COPY --from=1 a b']
    ],
    [
      'a stage built on another, which production needs too',
      'builder',
      'prod',
      [
        'FROM go AS deps',
        'RUN get',
        'FROM deps AS builder',
        'RUN make',
        'FROM deps AS prod',
        'COPY --from=builder a b'
      ],
      ['FROM go AS deps', 'RUN get', `FROM ${IMAGE} AS builder`, '', 'FROM deps AS prod', 'COPY --from=builder a b']
    ],
    [
      'what only the builder copied from, and what nobody needs',
      'builder',
      'prod',
      [
        'FROM a AS tools',
        'RUN t',
        'FROM b',
        'RUN u',
        'FROM go AS builder',
        'COPY --from=tools a b',
        'FROM c AS test',
        'RUN t',
        'FROM d AS prod',
        'COPY --from=builder a b'
      ],
      [
        `FROM ${IMAGE} AS tools`,
        '',
        `FROM ${IMAGE}`,
        '',
        `FROM ${IMAGE} AS builder`,
        '',
        `FROM ${IMAGE} AS test`,
        '',
        'FROM d AS prod',
        'COPY --from=builder a b'
      ]
    ],
    [
      'production built on the builder',
      'builder',
      'prod',
      ['FROM go AS builder', 'RUN make', 'FROM builder AS prod', 'RUN rm'],
      [`FROM ${IMAGE} AS builder`, '', 'FROM builder AS prod', 'RUN rm']
    ],
    [
      'a target before the last stage: what follows it stays',
      'builder',
      'prod',
      [
        'FROM go AS builder',
        'RUN make',
        'FROM alpine AS prod',
        'COPY --from=builder a b',
        'FROM prod AS debug',
        'RUN debug'
      ],
      [
        `FROM ${IMAGE} AS builder`,
        '',
        'FROM alpine AS prod',
        'COPY --from=builder a b',
        'FROM prod AS debug',
        'RUN debug'
      ]
    ],
    [
      'a builder that comes last, after the target',
      'builder',
      'prod',
      ['FROM a AS deps', 'RUN d', 'FROM b AS prod', 'RUN p', 'FROM deps AS builder', 'RUN make', '# end'],
      [`FROM ${IMAGE} AS deps`, '', 'FROM b AS prod', 'RUN p', `FROM ${IMAGE} AS builder`, '', '# end']
    ],
    [
      'heredocs that look like stages, within and outside',
      'builder',
      'prod',
      [
        'FROM go AS builder',
        'RUN <<EOF',
        'FROM no AS prod',
        'EOF',
        'FROM alpine AS prod',
        'COPY --from=builder a b',
        'COPY <<EOF /x',
        'FROM no AS builder',
        'EOF'
      ],
      [
        `FROM ${IMAGE} AS builder`,
        '',
        '',
        '',
        'FROM alpine AS prod',
        'COPY --from=builder a b',
        'COPY <<EOF /x',
        'FROM no AS builder',
        'EOF'
      ]
    ],
    [
      'comments: within the stage they go, after it they stay',
      'builder',
      'prod',
      [
        '# a',
        'FROM go AS builder',
        '# b',
        'RUN make \\',
        '  # c',
        '  all',
        '# d',
        '',
        'FROM alpine AS prod',
        'COPY --from=builder a b',
        '# e'
      ],
      [
        '# a',
        `FROM ${IMAGE} AS builder`,
        '',
        '',
        '',
        '',
        '# d',
        '',
        'FROM alpine AS prod',
        'COPY --from=builder a b',
        '# e'
      ]
    ],
    [
      'the platform of the builder, for it is that of the image',
      'builder',
      'prod',
      [
        'FROM a AS deps',
        'FROM \\',
        '  --platform=linux/arm64 \\',
        '  deps AS builder',
        'RUN make',
        'FROM alpine AS prod',
        'COPY --from=builder a b'
      ],
      [
        `FROM --platform=linux/arm64 ${IMAGE} AS deps`,
        `FROM --platform=linux/arm64 ${IMAGE} AS builder`,
        '',
        '',
        '',
        'FROM alpine AS prod',
        'COPY --from=builder a b'
      ]
    ],
    [
      'ONBUILD goes with the stage, and an instruction that breaks off',
      'builder',
      'prod',
      ['FROM alpine AS prod', 'FROM go AS builder', 'ONBUILD RUN x', 'RUN make \\'],
      ['FROM alpine AS prod', `FROM ${IMAGE} AS builder`, '', '']
    ],
    [
      'a name used twice: numbers tell them apart',
      'x',
      '2',
      ['FROM a AS x', 'RUN one', 'FROM x AS x', 'RUN two', 'FROM x'],
      [`FROM ${IMAGE} AS x`, '', `FROM ${IMAGE} AS x`, '', 'FROM x']
    ],
    [
      'a base that only the engine knows: what may be it stays',
      'builder',
      'prod',
      [
        'FROM a AS base-amd64',
        'RUN a',
        'FROM a AS base-arm64',
        'RUN b',
        'FROM base-$TARGETARCH AS run',
        'FROM c AS lint',
        'RUN l',
        'FROM go AS builder',
        'FROM run AS prod',
        'COPY --from=builder a b'
      ],
      [
        'FROM a AS base-amd64',
        'RUN a',
        'FROM a AS base-arm64',
        'RUN b',
        'FROM base-$TARGETARCH AS run',
        `FROM ${IMAGE} AS lint`,
        '',
        `FROM ${IMAGE} AS builder`,
        'FROM run AS prod',
        'COPY --from=builder a b'
      ]
    ],
    [
      "a base of the builder's own that only the engine knows",
      'builder',
      'prod',
      ['FROM a AS deps', 'RUN a', 'FROM $TARGETARCH AS builder', 'FROM alpine AS prod', 'COPY --from=builder a b'],
      [`FROM ${IMAGE} AS deps`, '', `FROM ${IMAGE} AS builder`, 'FROM alpine AS prod', 'COPY --from=builder a b']
    ]
  ]
  const endings: [what: string, join: (lines: string[]) => string][] = [
    ['LF', (lines) => lines.map((line) => `${line}\n`).join('')],
    ['CRLF', (lines) => lines.map((line) => `${line}\r\n`).join('')],
    ['no line end at the end', (lines) => lines.join('\n')],
    ['a byte order mark', (lines) => `\uFEFF${lines.join('\r\n')}`]
  ]
  describe.each(cases)('%s', (_, stage, target, before, after) => {
    it.each(endings)('%s', (_, join) => {
      const dockerfile = parseDockerfile(join(before))
      const { endLine } = stageOf(dockerfile, target)
      const expected = join(after)
        .split(/(?<=\n)/)
        .slice(0, endLine)
        .join('')
      expect(replace(dockerfile, stageOf(dockerfile, stage), IMAGE, stageOf(dockerfile, target))).toBe(expected)
    })
  })

  it('keeps mixed line ends, indentation and odd blanks', () => {
    const before = '\tFROM go AS builder\r\n RUN a\n\r\n  FROM alpine\t AS\tprod \r\nCOPY  --from=builder a b\n\n\n'
    const dockerfile = parseDockerfile(before)
    expect(replace(dockerfile, stageOf(dockerfile, 0), IMAGE, stageOf(dockerfile, 1))).toBe(
      `\tFROM ${IMAGE} AS builder\r\n\n\r\n  FROM alpine\t AS\tprod \r\nCOPY  --from=builder a b\n`
    )
  })

  it('knows the build args that decide which stages are needed', () => {
    const source = text('ARG B=a', 'FROM x AS a', 'RUN a', 'FROM x AS b', 'RUN b', 'FROM go AS builder', 'FROM $B')
    const dockerfile = parseDockerfile(source, { B: 'b' })
    const replaced = replace(dockerfile, stageOf(dockerfile, 'builder'), IMAGE, stageOf(dockerfile, 3))
    expect(replaced).toBe(
      text('ARG B=a', `FROM ${IMAGE} AS a`, '', 'FROM x AS b', 'RUN b', `FROM ${IMAGE} AS builder`, 'FROM $B')
    )
  })

  it.each([
    '',
    ' ',
    'a b',
    'a\tb',
    'a\nRUN evil',
    'a\r',
    '--platform=a',
    '$A',
    '"a"',
    "'a'",
    'a\\',
    'a`',
    'PROD',
    'builder'
  ])('refuses the image %j', (image) => {
    const dockerfile = parseDockerfile('FROM a AS builder\nFROM b AS prod\n')
    const replacing = () => replace(dockerfile, stageOf(dockerfile, 0), image, stageOf(dockerfile, 1))
    expect(replacing).toThrow(DockerfileError)
  })
})

describe('rewriteDockerfile with several images', () => {
  const OTHER = 'other:1'
  const source = text(
    'ARG V=1',
    'FROM a AS tools', // 2
    'RUN t',
    'FROM go AS deps', // 4
    'COPY --from=tools a b',
    'FROM --platform=linux/amd64 deps AS builder', // 6
    'RUN <<EOF',
    'FROM no',
    'EOF',
    'FROM node', // 10
    'RUN n',
    'FROM c AS lint', // 12
    'RUN l',
    'FROM alpine', // 14
    'COPY --from=builder a b',
    'COPY --from=3 a b',
    '# after', // 17
    'FROM builder AS debug',
    'RUN x'
  ).trimEnd()
  const lines = source.split('\n')
  const through = (line: number, changes: Record<number, string>): string =>
    lines
      .slice(0, line)
      .map((was, index) => `${changes[index + 1] ?? was}\n`)
      .join('')

  const cases: [what: string, target: number, images: [number, string][], expected: string][] = [
    ['none: what is not needed is scratch', 5, [], through(16, { 12: 'FROM scratch AS lint', 13: '' })],
    ['none, and a target that needs the first alone', 0, [], through(3, {})],
    [
      'none, and the target needs no other stage',
      4,
      [],
      through(13, {
        2: 'FROM scratch AS tools',
        3: '',
        4: 'FROM scratch AS deps',
        5: '',
        6: 'FROM scratch AS builder',
        7: '',
        8: '',
        9: '',
        10: 'FROM scratch',
        11: ''
      })
    ],
    [
      'none, and the last stage without a line end',
      6,
      [],
      through(19, {
        10: 'FROM scratch',
        11: '',
        12: 'FROM scratch AS lint',
        13: '',
        14: 'FROM scratch',
        15: '',
        16: ''
      }).trimEnd()
    ],
    [
      'two: their needs vanish',
      5,
      [
        [2, IMAGE],
        [3, OTHER]
      ],
      through(16, {
        2: `FROM --platform=linux/amd64 ${IMAGE} AS tools`,
        3: '',
        4: `FROM --platform=linux/amd64 ${IMAGE} AS deps`,
        5: '',
        6: `FROM --platform=linux/amd64 ${IMAGE} AS builder`,
        7: '',
        8: '',
        9: '',
        10: `FROM ${OTHER}`,
        11: '',
        12: `FROM --platform=linux/amd64 ${IMAGE} AS lint`,
        13: ''
      })
    ],
    ['one below another', 2, [[0, OTHER]], through(9, { 2: `FROM ${OTHER} AS tools`, 3: '' })],
    [
      'one that the target does not need, and one after it',
      1,
      [
        [0, OTHER],
        [4, IMAGE]
      ],
      through(5, { 2: `FROM ${OTHER} AS tools`, 3: '' })
    ]
  ]
  it.each(cases)('%s', (_, target, images, expected) => {
    const dockerfile = parseDockerfile(source)
    expect(rewriteDockerfile(dockerfile, stageOf(dockerfile, target), new Map(images))).toBe(expected)
  })

  it.each(cases)('keeps names, lines and instructions: %s', (_, target, images) => {
    for (const lineEnd of ['\n', '\r\n']) {
      const before = parseDockerfile(source.replaceAll('\n', lineEnd))
      const taken = new Map(images)
      const last = stageOf(before, target)
      const after = parseDockerfile(rewriteDockerfile(before, last, taken))
      expect(after.stages).toHaveLength(target + 1)
      const needed = stagesNeededFor(before, last, taken)
      for (const stage of before.stages.slice(0, target + 1)) {
        const isKept = needed.includes(stage.index) && !taken.has(stage.index)
        const became = stageOf(after, stage.index)
        if (isKept) {
          expect(became).toEqual(stage)
        } else {
          expect([became.name, became.startLine]).toEqual([stage.name, stage.startLine])
          expect(became.instructions).toEqual([])
        }
      }
    }
  })

  it('cuts after a heredoc', () => {
    const dockerfile = parseDockerfile(source)
    expect(rewriteDockerfile(dockerfile, stageOf(dockerfile, 'builder'), new Map()).endsWith('FROM no\nEOF\n')).toBe(
      true
    )
  })

  it('refuses an image for the target, and names the stage of a bad image', () => {
    const dockerfile = parseDockerfile(source)
    const target = stageOf(dockerfile, 5)
    expect(() => rewriteDockerfile(dockerfile, target, new Map([[5, IMAGE]]))).toThrow('cannot be replaced')
    expect(() => rewriteDockerfile(dockerfile, target, new Map([[2, '$A']]))).toThrow(/^Stage 2 cannot/)
  })
})

describe('rewriteDockerfile for BuildKit', () => {
  /** The Dockerfile with the builder stage replaced, for its last stage. */
  function carried(...lines: string[]): string[] {
    const dockerfile = parseDockerfile(lines.join('\n'))
    const [builder, last] = [stageOf(dockerfile, 'builder'), stageOf(dockerfile, dockerfile.stages.length - 1)]
    return rewriteDockerfile(dockerfile, last, new Map([[builder.index, IMAGE]]), { handsOnArgs: true }).split('\n')
  }

  it('keeps the ARGs of a stage for those which are built on it, at their lines', () => {
    const arg = `ARG B=\${A}-b C="a b" \\`
    expect(
      carried('FROM x AS builder', 'ARG A', 'RUN true', arg, '  # no', '  D', 'from builder', 'RUN echo $B')
    ).toEqual([
      `FROM ${IMAGE} AS builder`,
      'ARG A',
      '',
      `ARG B=\${A}-b C="a b" D`,
      '',
      '',
      'from builder',
      'RUN echo $B'
    ])
  })

  it('keeps none for stages that only copy, or with the legacy builder', () => {
    const lines = ['FROM x AS builder', 'ARG A=1', 'FROM y', 'COPY --from=builder a b']
    expect(carried(...lines)).toEqual([`FROM ${IMAGE} AS builder`, '', ...lines.slice(2)])
    const dockerfile = parseDockerfile(lines.slice(0, 2).concat('FROM builder', 'RUN echo $A').join('\n'))
    expect(replace(dockerfile, stageOf(dockerfile, 0), IMAGE, stageOf(dockerfile, 1))).not.toContain('ARG')
  })

  it('keeps the ARGs of the stages below, and of their triggers, and moves no line if there is room', () => {
    expect(
      carried(
        'FROM x AS common',
        'ARG A=1',
        'ONBUILD ARG T=2',
        'FROM common AS builder',
        'ARG B',
        'FROM builder',
        'RUN x'
      )
    ).toEqual([
      `FROM ${IMAGE} AS common`,
      `FROM ${IMAGE} AS builder`,
      'ARG A=1',
      'ARG T=2',
      'ARG B',
      'FROM builder',
      'RUN x'
    ])
  })

  it('moves lines down if there is no room', () => {
    expect(
      carried(
        'FROM x AS common',
        'ARG A=1',
        'FROM common AS other',
        'FROM common AS builder',
        'FROM builder',
        'COPY --from=other / /'
      )
    ).toEqual([
      'FROM x AS common',
      'ARG A=1',
      'FROM common AS other',
      `FROM ${IMAGE} AS builder`,
      'ARG A=1',
      'FROM builder',
      'COPY --from=other / /'
    ])
  })

  it('drops an ARG that an ENV hides, as the image contains the ENV', () => {
    expect(
      carried('FROM x AS builder', 'ARG A=1 B=2', 'ENV A=3', 'ENV C=4', 'ARG C', 'FROM builder', 'RUN true')
    ).toEqual([`FROM ${IMAGE} AS builder`, 'ARG B=2', '', '', '', 'FROM builder', 'RUN true'])
  })

  it('refuses an ARG whose default would have another value', () => {
    expect(() => carried('FROM x AS builder', 'ENV A=1', 'ARG B=$A', 'ENV A=2', 'FROM builder', 'RUN true')).toThrow(
      'Stage builder cannot be replaced by its image: the default of ARG B (line 3) contains A, which the Dockerfile sets more than once'
    )
  })

  it.each([
    ['# check=error=true', '# check=error=true;skip=WorkdirRelativePath'],
    [
      '#Check = skip=JSONArgsRecommended;error=true',
      '#Check = skip=JSONArgsRecommended,WorkdirRelativePath;error=true'
    ],
    ['# check=skip=all', '# check=skip=all']
  ])('breaks no lint rule by an unknown working directory: %s', (before, after) => {
    const rest = ['from builder', 'workdir b']
    expect(carried(before, 'from x as builder', 'workdir /a', ...rest)).toEqual([
      after,
      `from ${IMAGE} as builder`,
      '',
      ...rest
    ])
    // without a working directory in the stage, docker finds fault with a relative one
    expect(carried(before, 'from x as builder', 'run true', ...rest)[0]).toBe(before)
  })
})
