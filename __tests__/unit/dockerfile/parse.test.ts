// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles look like that
import { describe, expect, it } from '@jest/globals'
import { DockerfileError, type StageInstruction } from '../../../src/dockerfile/model.ts'
import { parseDockerfile } from '../../../src/dockerfile/parse.ts'
import { outline, stageOf, text } from '../../support/dockerfiles.ts'

describe('parseDockerfile', () => {
  const cases: [what: string, source: string, stages: string[]][] = [
    ['one stage', 'FROM alpine\nRUN true\n', ['(;) 1-2']],
    ['no line end at the end', 'FROM alpine\nRUN true', ['(;) 1-2']],
    [
      'a name in other cases and a number',
      text('FROM go AS Builder', 'RUN make', 'from alpine as prod', 'COPY --from=BUILDER /a /a', 'copy --from=0 /b /b'),
      ['builder(;) 1-2', 'prod(;0) 3-5']
    ],
    [
      'a stage built on a stage, in any case',
      text('FROM go AS deps', 'FROM DEPS AS builder', 'FROM builder'),
      ['deps(;) 1-1', 'builder(0;) 2-2', '(1;) 3-3']
    ],
    [
      'edges sorted, each once',
      text('FROM a AS a', 'FROM b AS b', 'FROM c', 'COPY --from=b x y', 'COPY --from=0 x y', 'COPY --from=1 x y'),
      ['a(;) 1-1', 'b(;) 2-2', '(;0,1) 3-6']
    ],
    [
      'other flags beside --from',
      text('FROM a AS a', 'FROM b', 'COPY --chown=1:1 --from=a --chmod=755 x y'),
      ['a(;) 1-1', '(;0) 2-3']
    ],
    ['--from in JSON form', text('FROM a AS a', 'FROM b', 'COPY --from=a ["x x", "y"]'), ['a(;) 1-1', '(;0) 2-3']],
    ['--from in quotes', text('FROM a AS a', 'FROM b', 'COPY --from="a" x y'), ['a(;) 1-1', '(;0) 2-3']],
    ['images', text('FROM a', 'COPY --from=nginx:1 x y', 'RUN --mount=from=nginx,target=/n true'), ['(;) 1-3']],
    [
      'mounts',
      text(
        'FROM a AS a',
        'FROM b AS b',
        'FROM c',
        'RUN --mount=type=cache,target=/c --mount=target=/x,from=B \\',
        '  --mount=type=bind,"From=a" ls'
      ),
      ['a(;) 1-1', 'b(;) 2-2', '(;0,1) 3-5']
    ],
    [
      'a mount broken by a continuation',
      text('FROM a AS a', 'FROM b', 'RUN --mount=type=bind,\\', 'from=a,target=/x ls'),
      ['a(;) 1-1', '(;0) 2-4']
    ],
    [
      'what looks like a flag in a command',
      text('FROM a AS a', 'FROM b', 'RUN b--c --mount=from=a', 'RUN -- --mount=from=a'),
      ['a(;) 1-1', '(;) 2-4']
    ],
    [
      'a stage that comes later',
      text('FROM b', 'COPY --from=b x y', 'COPY --from=1 x y', 'FROM a AS b'),
      ['(;) 1-3', 'b(;) 4-4']
    ],
    ['a stage that names itself', text('FROM go AS go', 'COPY --from=go x y', 'COPY --from=0 x y'), ['go(;) 1-3']],
    ['a number in FROM', text('FROM a', 'FROM 0'), ['(;) 1-1', '(;) 2-2']],
    ['a number beyond the stages', text('FROM a', 'FROM b', 'COPY --from=7 x y'), ['(;) 1-1', '(;) 2-3']],
    ['a variable in --from', text('ARG A=a', 'FROM a AS a', 'FROM b', 'COPY --from=$A x y'), ['a(;) 2-2', '(;) 3-4']],
    [
      'a name used twice: the nearest before',
      text('FROM a AS x', 'FROM x AS x', 'FROM x', 'COPY --from=x a b'),
      ['x(;) 1-1', 'x(0;) 2-2', '(1;1) 3-4']
    ],
    [
      'continuations, comments and empty lines in them',
      text(
        'FROM \\',
        '  # comment',
        '  --platform=linux/amd64 \\',
        '',
        '  go:1 \\',
        '  AS \\',
        'Builder',
        'RUN a \\',
        '# FROM no',
        '',
        '  FROM no',
        'FROM b'
      ),
      ['builder(;) 1-11', '(;) 12-12']
    ],
    [
      'a keyword and a name broken by continuations',
      text('FRO\\', 'M go AS bui\\', 'lder', 'FROM builder'),
      ['builder(;) 1-3', '(0;) 4-4']
    ],
    ['blanks after a continuation', text('FROM a', 'RUN a \\  ', '  FROM no', 'FROM b'), ['(;) 1-3', '(;) 4-4']],
    ['a continuation after an escaped blank', text('FROM a', 'COPY a\\ \\', 'FROM b'), ['(;) 1-3']],
    [
      'two backslashes continue nothing',
      text('FROM a', 'RUN dir C:\\\\', 'FROM b', 'RUN dir C:\\\\\\  ', 'FROM c'),
      ['(;) 1-2', '(;) 3-4', '(;) 5-5']
    ],
    ['a comment continues nothing', text('FROM a', '# no \\', 'FROM b'), ['(;) 1-1', '(;) 3-3']],
    ['a continuation at the end', 'FROM a\nRUN a \\\n', ['(;) 1-2']],
    ['tabs, indentation, blanks at the end', 'FROM\ta\tAS\tb \t\n   \n\tFROM  b\n', ['b(;) 1-1', '(0;) 3-3']],
    [
      'CRLF',
      'FROM a AS b\r\nRUN a \\\r\n# no\r\n b\r\nFROM b\r\nRUN <<E\r\nFROM no\r\nE\r\nFROM c\r\n',
      ['b(;) 1-4', '(0;) 5-8', '(;) 9-9']
    ],
    ['a CR alone is a blank', 'FROM a\rAS b\nFROM b\r\r\n', ['b(;) 1-1', '(0;) 2-2']],
    ['a byte order mark', '\uFEFFFROM a AS b\nFROM b', ['b(;) 1-1', '(0;) 2-2']],
    ['comments around stages', text('# a', 'FROM a', '# b', '', 'FROM b', '# c'), ['(;) 2-2', '(;) 5-5']],
    ['a quoted base', text('FROM a AS b', 'FROM "b"'), ['b(;) 1-1', '(0;) 2-2']],
    [
      'ONBUILD runs in the stages built on it',
      text('FROM a AS a', 'FROM b AS b', 'ONBUILD COPY --from=a x y', 'ONBUILD RUN FROM', 'FROM b AS c', 'FROM c'),
      ['a(;) 1-1', 'b(;) 2-4', 'c(1;0) 5-5', '(2;) 6-6']
    ],
    ['JSON with a line that is no FROM', text('FROM a', 'CMD ["a", \\', '"FROM b"]'), ['(;) 1-3']]
  ]
  it.each(cases)('%s', (_, source, stages) => {
    expect(outline(source)).toEqual(stages)
  })

  it.each(['', '\n\n', '# FROM a\n', 'ARG A=1\nRUN true\n', '\uFEFF'])('no FROM in %j', (source) => {
    expect(() => parseDockerfile(source)).toThrow(DockerfileError)
  })

  it('keeps what FROM says', () => {
    const source = '\uFEFFARG A\r\nFROM --platform=$BUILDPLATFORM  Host:5000/${A:-b} AS Some_Name\r\n'
    expect(parseDockerfile(source)).toEqual({
      text: source,
      globalArgs: 1,
      stages: [
        {
          index: 0,
          name: 'some_name',
          base: 'Host:5000/${A:-b}',
          baseImage: 'Host:5000/b',
          hasPlatform: true,
          copiesFrom: [],
          instructions: [],
          startLine: 2,
          endLine: 2
        }
      ],
      buildKitFeatures: ['$BUILDPLATFORM in FROM (line 2)']
    })
  })
})

describe('buildKitFeatures', () => {
  const cases: [lines: string, features: string[]][] = [
    ['RUN --mount=type=cache,target=/c a', ['RUN --mount (line 4)']],
    ['run \\\n --mount=type=cache,target=/c \\\n --mount=type=ssh a', ['RUN --mount (line 4)']],
    ['RUN --network=none --security=insecure a', ['RUN --network (line 4)', 'RUN --security (line 4)']],
    ['RUN --device=a b', ['RUN --device (line 4)']],
    ['\nCOPY --link a b', ['COPY --link (line 5)']],
    ['COPY --chmod=755 --chown=1 --from=x a b', ['COPY --chmod (line 4)']],
    ['COPY --parents --exclude=a --exclude=b x y', ['COPY --parents (line 4)', 'COPY --exclude (line 4)']],
    [
      'ADD --checksum=sha256:1 --keep-git-dir=true http://a b',
      ['ADD --checksum (line 4)', 'ADD --keep-git-dir (line 4)']
    ],
    ['ADD --unpack a b', ['ADD --unpack (line 4)']],
    ['ADD https://github.com/a/b.git /x', ['ADD of a git repository (line 4)']],
    ['ADD https://github.com/a/b.git#v1:dir /x', ['ADD of a git repository (line 4)']],
    ['ADD a "git@github.com:a/b.git" /x', ['ADD of a git repository (line 4)']],
    ['ADD ["ssh://a/b", "/x x"]', ['ADD of a git repository (line 4)']],
    ['ONBUILD RUN --mount=type=ssh a', ['ONBUILD RUN --mount (line 4)']],
    ['ONBUILD ADD git://a/b /x', ['ONBUILD ADD of a git repository (line 4)']],
    ['COPY <<E --link /x\na\nE\nADD --link a b', ['heredoc (line 4)', 'ADD --link (line 7)']],
    ['FROM --platform=$BUILDPLATFORM a', ['$BUILDPLATFORM in FROM (line 4)']],
    [
      'FROM a-${TARGETARCH:-amd64}${TARGETVARIANT} AS y',
      ['$TARGETARCH in FROM (line 4)', '$TARGETVARIANT in FROM (line 4)']
    ],
    ['ARG A TARGETARCH', ['ARG TARGETARCH (line 4)']],
    ['FROM b:$TARGETOS', ['$TARGETOS in FROM (line 4)']],
    ['FROM b AS X', ['second stage named x (line 4)']],
    [
      'RUN a\nFROM --platform=$TARGETPLATFORM b\nCOPY --link a b',
      ['$TARGETPLATFORM in FROM (line 5)', 'COPY --link (line 6)']
    ]
  ]
  it.each(cases)('%j', (lines, features) => {
    expect(
      parseDockerfile(text('# syntax=docker/dockerfile:1', 'ARG V=1 TARGETOS', 'FROM a AS x', lines)).buildKitFeatures
    ).toEqual(features)
  })

  it.each([
    'COPY --chown=1:1 --from=x a b',
    'ADD --chown=1:1 https://example.com/a.tar.gz /x',
    'ADD https://example.com/a?b=.git /x',
    'ADD a.git /x.git',
    'ADD a git@github.com:a',
    'HEALTHCHECK --interval=5s --start-period=1s CMD --mount',
    'FROM --platform=linux/amd64 b AS y',
    'FROM --platform=$V b:${V}',
    'FROM b-$BUILDOS',
    'ARG BUILDOS',
    'ARG TARGETARCH=amd64',
    'ARG MY_TARGETARCH',
    'RUN echo --mount=type=ssh $TARGETARCH',
    'RUN a--b --mount=type=ssh c',
    'RUN -- --mount=type=ssh',
    'CMD --mount',
    'ENTRYPOINT ["--link"]',
    'COPY a--link --link',
    '# RUN --mount=type=ssh a'
  ])('nothing in: %s', (line) => {
    const source = text('# syntax=docker/dockerfile:1', 'ARG V=1 BUILDOS=linux TARGETOS', 'FROM a AS x', line)
    expect(parseDockerfile(source).buildKitFeatures).toEqual([])
  })

  it('takes a declared ARG given by --build-arg for known, as the legacy builder does', () => {
    const source = text('ARG TARGETOS', 'FROM a-$TARGETOS-$TARGETARCH', 'ARG TARGETOS TARGETARCH BUILDARCH')
    const buildArgs = { TARGETOS: 'linux', TARGETARCH: 'amd64' }
    expect(parseDockerfile(source, buildArgs).buildKitFeatures).toEqual([
      '$TARGETARCH in FROM (line 2)',
      'ARG BUILDARCH (line 3)'
    ])
  })
})

describe('instructions of a stage', () => {
  function instructionsOf(...lines: string[]): StageInstruction[] {
    const source = text('FROM x AS one', 'FROM x AS two', 'FROM x', ...lines)
    return stageOf(parseDockerfile(source), 2).instructions
  }

  const texts: [what: string, source: string, expected: string[]][] = [
    ['none', 'FROM a\n', []],
    ['each with its line', 'FROM a\nenv A=1\n\n# b\nRun a\n', ['2 ENV A=1', '5 RUN a']],
    ['no line end at the end', 'FROM a\nRUN a', ['2 RUN a']],
    [
      'continuations, comments and empty lines in them',
      'FROM a\nRUN a \\\n  # don\'t\n\n  --b \\  \n  c\nCMD ["a"]\n',
      ['2 RUN a --b c', '7 CMD ["a"]']
    ],
    ['a word broken by a continuation', 'FROM a\nRU\\\nN a\\\nb\n', ['2 RUN ab']],
    ['CRLF', 'FROM a\r\nRUN a \\\r\n# b\r\n  c\r\nUSER d\r\n', ['2 RUN a c', '5 USER d']],
    ['# escape', '# escape=`\nFROM a\nCOPY a C:\\\nRUN a `\n  b\n', ['3 COPY a C:\\', '4 RUN a b']],
    ['two escapes at the end of a line', 'FROM a\nRUN dir C:\\\\\nUSER a\n', ['2 RUN dir C:\\\\', '3 USER a']],
    ['a continuation at the end', 'FROM a\nRUN a \\\n', ['2 RUN a']],
    [
      'heredocs without their text',
      'FROM a\nRUN <<EOF cat\nUSER no\nEOF\nCOPY <<A <<-"B" /x/\nA\n\tB\nUSER a\n',
      ['2 RUN <<EOF cat', '5 COPY <<A <<-"B" /x/', '8 USER a']
    ],
    ['ONBUILD', 'FROM a\nonbuild copy a b\n', ['2 ONBUILD copy a b']],
    ['ARG before FROM is in no stage', 'ARG A\nFROM a\nARG A\n', ['3 ARG A']]
  ]
  it.each(texts)('%s', (_, source, expected) => {
    const { instructions } = stageOf(parseDockerfile(source), 0)
    expect(instructions.map((instruction) => `${instruction.line} ${instruction.text}`)).toEqual(expected)
    expect(instructions.map(({ keyword }) => keyword)).toEqual(expected.map((line) => line.split(' ')[1]))
  })

  it.each<[instruction: string, copiesFrom: number[]]>([
    ['COPY --from=two a b', [1]],
    ['COPY --from=0 a b', [0]],
    ['COPY --from=2 a b', []],
    ['COPY --from=nginx a b', []],
    ['COPY a b', []],
    ['RUN --mount=from=TWO,target=/x --mount=type=cache,from=one,target=/y --mount=from=two,target=/z a', [0, 1]],
    ['ONBUILD COPY --from=one a b', []]
  ])('the stages that %j copies from', (instruction, copiesFrom) => {
    expect(instructionsOf(instruction)).toEqual([expect.objectContaining({ copiesFrom })])
  })

  it.each<[instruction: string, hasVariable: boolean]>([
    ['COPY a $B', true],
    ['COPY a ${B:-c}', true],
    ['RUN echo "$HOME"', true],
    ['RUN a \\\n  $B', true],
    ['RUN a \\\n  # $B\n  c', false],
    ['RUN <<EOF\necho $A\nEOF', true],
    ['RUN <<EOF\necho a\nEOF\n# $A', false],
    ['RUN a $(date) $? $', false],
    ['ONBUILD RUN $A', true],
    ['RUN a', false]
  ])('whether %j has a variable', (instruction, hasVariable) => {
    expect(instructionsOf(instruction)).toEqual([expect.objectContaining({ hasVariable })])
  })
})

describe('baseImage', () => {
  it.each([
    ['alpine', 'alpine'],
    ['Host:5000/a:$V', 'Host:5000/a:1'],
    ['scratch', undefined],
    ['$S', undefined],
    ['x', undefined],
    ['a-$TARGETARCH', undefined]
  ])('of FROM %s', (base, image) => {
    const source = text('ARG V=1 S=scratch', 'FROM b AS x', `FROM ${base}`)
    expect(stageOf(parseDockerfile(source), 1).baseImage).toBe(image)
  })
})
