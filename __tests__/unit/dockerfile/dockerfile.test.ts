// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles look like that
import { describe, expect, it } from '@jest/globals'
import {
  type Dockerfile,
  DockerfileError,
  findStage,
  type Stage,
  type StageInstruction
} from '../../../src/dockerfile/model.ts'
import { parseDockerfile } from '../../../src/dockerfile/parse.ts'
import { rewriteDockerfile } from '../../../src/dockerfile/rewrite.ts'
import { stagesNeededFor } from '../../../src/dockerfile/stage-graph.ts'
import { instructionOfBuildKitStep, instructionOfLegacyStep } from '../../../src/dockerfile/steps.ts'

const IMAGE = 'registry.example:5000/octo/app:builder-6113728'

function text(...lines: string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}

function stageOf(dockerfile: Dockerfile, nameOrIndex: string | number): Stage {
  const stage = findStage(dockerfile, String(nameOrIndex))
  if (stage === undefined) throw new Error(`no stage ${nameOrIndex}`)
  return stage
}

/** `name(base stage; copies from) first-last line` of each stage. */
function outline(source: string, buildArgs?: Record<string, string>): string[] {
  return parseDockerfile(source, buildArgs).stages.map(
    ({ name, baseStage, copiesFrom, startLine, endLine }) =>
      `${name ?? ''}(${baseStage ?? ''};${copiesFrom.join(',')}) ${startLine}-${endLine}`
  )
}

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

  const heredocs: [what: string, lines: string[]][] = [
    ['plain', ['RUN <<EOF', 'FROM no', 'EOF']],
    ['with a command', ['RUN cat <<EOF > /x', 'FROM no', 'EOF']],
    ['in quotes', ["COPY <<'EOF' /x", 'FROM no', 'EOF']],
    ['in double quotes', ['ADD <<"E F" /x', 'FROM no', 'E F']],
    ['with a dash', ['RUN <<-EOF', 'FROM no', ' EOF', '\tEOF']],
    ['with a dash and quotes', ["RUN <<-'EOF'", 'FROM no', '\t\tEOF']],
    ['without a dash', ['RUN <<EOF', '\tEOF', 'FROM no', 'EOF']],
    ['with a number', ['RUN 3<<EOF cat', 'FROM no', 'EOF']],
    ['with a blank', ['RUN cat << EOF', 'FROM no', 'EOF']],
    ['two, one with a dash', ['COPY <<A <<-B /x/', 'FROM no', '\tA', 'A', 'FROM no', '\tB']],
    [
      'after a continuation with a comment',
      ['RUN --mount=type=tmpfs,target=/t \\', "  # don't", '  <<EOF', 'FROM no', 'EOF']
    ],
    ['in ONBUILD', ['ONBUILD RUN <<EOF', 'FROM no', 'EOF']],
    ['with a continuation before its end', ['RUN <<EOF', 'FROM no \\', 'EOF']],
    ['twice the same word', ['RUN <<EOF', 'FROM no', 'EOF', 'RUN <<EOF', 'FROM no', 'EOF']],
    ['with another inside', ['RUN <<EOF', 'cat <<A', 'FROM no', 'A', 'EOF']]
  ]
  it.each(heredocs)('a heredoc %s', (_, lines) => {
    const source = text('FROM a', ...lines, 'FROM b')
    expect(outline(source)).toEqual([`(;) 1-${lines.length + 1}`, `(;) ${lines.length + 2}-${lines.length + 2}`])
    expect(parseDockerfile(source).buildKitFeatures).toContainEqual(expect.stringMatching(/^heredoc \(line 2\)$/))
  })

  it.each([
    'RUN sh -c "cat <<EOF > x"',
    "RUN sh -c 'cat <<EOF > x'",
    'RUN ["sh", "-c", "cat <<EOF > x"]',
    'RUN cat <<<EOF',
    'RUN cat <<< EOF',
    'RUN echo $((1 <<2)) $((1 << 2))',
    'RUN cat <<NEVER_ENDED',
    "RUN echo it's <<EOF",
    'RUN echo a<<EOF',
    'RUN echo \\<<EOF',
    'ENV A=<<EOF',
    'CMD cat <<EOF'
  ])('no heredoc: %s', (line) => {
    const dockerfile = parseDockerfile(text('FROM a', line, 'FROM b', 'EOF', 'FROM c'))
    expect(dockerfile.stages.map(({ base }) => base)).toEqual(['a', 'b', 'c'])
    expect(dockerfile.buildKitFeatures).toEqual([])
  })

  const directives: [what: string, source: string, syntax: string | undefined, stages: string[]][] = [
    ['none', 'FROM a\n', undefined, ['(;) 1-1']],
    ['syntax', '# syntax=docker/dockerfile:1\nFROM a\n', 'docker/dockerfile:1', ['(;) 2-2']],
    ['in capitals, with blanks and an argument', '#  SYNTAX = a/b:1 c\nFROM a\n', 'a/b:1', ['(;) 2-2']],
    ['escape', '# escape=`\nFROM a `\nAS b\nCOPY a C:\\\nFROM b\n', undefined, ['b(;) 2-4', '(0;) 5-5']],
    ['blanks after a value', '# syntax=a/b:1 \n# escape=`\t\nFROM a `\nAS b\n', 'a/b:1', ['b(;) 3-4']],
    ['CRLF', '# escape=`\r\n# syntax=a/b:1\r\nFROM a `\r\nAS b\r\n', 'a/b:1', ['b(;) 3-4']],
    ['a byte order mark', '\uFEFF# escape=`\nFROM a `\nAS b\n', undefined, ['b(;) 2-3']],
    ['check', '# check=skip=all;error=true\n# escape=`\nFROM a `\nAS b\n', undefined, ['b(;) 3-4']],
    [
      'after an unknown one: comments',
      '# a=b\n# escape=`\n# syntax=a/b:1\nFROM a\nCOPY a `\nFROM b',
      undefined,
      ['(;) 4-5', '(;) 6-6']
    ],
    ['after a comment: comments', '# a\n# escape=`\nFROM a\nCOPY a `\nFROM b', undefined, ['(;) 3-4', '(;) 5-5']],
    ['after an empty line: comments', '\n# syntax=a/b:1\nFROM a\n', undefined, ['(;) 3-3']],
    ['without a value', '# syntax=\n# escape=`\nFROM a\nCOPY a `\nFROM b', undefined, ['(;) 3-4', '(;) 5-5']],
    ['two backticks continue nothing', '# escape=`\nFROM a\nRUN a ``\nFROM b', undefined, ['(;) 2-3', '(;) 4-4']]
  ]
  it.each(directives)('directives: %s', (_, source, syntax, stages) => {
    expect(parseDockerfile(source).syntax).toBe(syntax)
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

describe('variables in FROM', () => {
  const cases: [declared: string, base: string, baseStage: number | undefined, buildArgs?: Record<string, string>][] = [
    ['ARG A=x', '$A', 0],
    ['ARG A=x', '${A}', 0],
    ['ARG A=X', '$A', 0],
    ['ARG A="x"', '$A', 0],
    ["ARG A='x'", '$A', 0],
    ['ARG A="y\'\'"', '$A', undefined],
    ["ARG A='$B' B=x", '$A', undefined],
    ['ARG A=z', '$A', undefined],
    ['ARG A=z', '$A', 0, { A: 'x' }],
    ['ARG A', '$A', 0, { A: 'x' }],
    ['ARG A=x', '$A', undefined, { A: '' }],
    ['ARG B', '$A', undefined, { A: 'x' }],
    ['ARG A', 'x$A', 0],
    ['ARG B', 'x${A}', 0],
    ['ARG A=y B=${A}', '$B', 1],
    ['ARG A=y', '$A$B', 1],
    ['ARG B=$A A=y', 'x$B', 0],
    ['ARG A=x\nARG A=y', '$A', 1],
    ['ARG A="x" \\\n  # comment\n  B=y', '$B', 1],
    ['ARG A', '${A:-x}', 0],
    ['ARG A=', '${A:-x}', 0],
    ['ARG A=', '${A-x}y', 1],
    ['ARG B=y', '${A-$B}', 1],
    ['ARG B=y', '${A:-${B:-x}}', 1],
    ['ARG A=1', '${A:+y}', 1],
    ['ARG A=', '${A:+y}x', 0],
    ['ARG A=', '${A+y}', 1],
    ['ARG A=y', '${A:?no}', 1],
    ['ARG A=y', '${A}-z', 2],
    ['ARG A=y-z', '"$A"', 2],
    ['ARG A=y', '$A-z', 2],
    ['ARG A=y', "'$A'", undefined],
    ['ARG A=y', '\\$A', undefined],
    ['ARG A=\\y', '$A', 1],
    ['ARG A="\\y"', '$A', undefined],
    ['ARG A=y\\"', '$A', undefined],
    ['ARG constructor=y', '$constructor', 1],
    ['ARG A=y', '$toString$A', 1],
    ['ARG A=y', '${A%y}y', undefined],
    ['ARG A=y', '${}y', undefined],
    ['ARG TARGETARCH=z', 'y-$TARGETARCH', 2],
    ['ARG TARGETARCH', 'y-$TARGETARCH', undefined],
    ['ARG TARGETARCH', 'y-$TARGETARCH', 2, { TARGETARCH: 'z' }],
    ['ARG A', 'y-$TARGETARCH', 2, { TARGETARCH: 'z' }],
    ['ARG A=y-$BUILDARCH', '$A', undefined],
    ['ARG A=y-$BUILDARCH', '$A', 2, { BUILDARCH: 'z' }],
    ['ARG A=y-$BUILDARCH', '$A', 1, { A: 'y' }]
  ]
  it.each(cases.map((row) => ({ row })))('$row', ({ row: [declared, base, baseStage, buildArgs] }) => {
    const stages = ['FROM a AS x', 'FROM a AS y', 'FROM a AS y-z', 'ARG A=in-a-stage', `FROM ${base}`]
    const [, , , last] = parseDockerfile(text(declared, ...stages), buildArgs).stages
    expect(last?.base).toBe(base)
    expect(last?.baseStage).toBe(baseStage)
  })

  it.each([
    ['$TARGETARCH', true],
    ['${A#b}', true],
    ['$A', undefined],
    ['alpine', undefined]
  ])('whether %s is known', (base, unknown) => {
    expect(parseDockerfile(`FROM ${base}`).stages[0]?.baseUnknown).toBe(unknown)
  })
})

describe('findStage', () => {
  const dockerfile = parseDockerfile(text('FROM a AS x', 'FROM b AS Y.1-z', 'FROM c', 'FROM d AS X', 'FROM e AS 9'))
  it.each([
    ['y.1-z', 1],
    ['Y.1-Z', 1],
    ['0', 0],
    ['2', 2],
    ['x', 3],
    ['X', 3],
    ['9', undefined],
    ['5', undefined],
    ['-1', undefined],
    ['', undefined],
    ['c', undefined],
    ['__proto__', undefined]
  ])('%s', (nameOrIndex, index) => {
    expect(findStage(dockerfile, nameOrIndex)?.index).toBe(index)
  })
})

describe('stagesNeededFor', () => {
  const dockerfile = parseDockerfile(
    text(
      'FROM base AS deps', // 0
      'FROM deps AS builder', // 1
      'COPY --from=tools a b',
      'FROM busybox AS unused', // 2
      'FROM node AS assets', // 3
      'COPY --from=deps a b',
      'FROM alpine AS prod', // 4
      'COPY --from=builder a b',
      'COPY --from=assets a b',
      'FROM prod AS debug' // 5
    )
  )
  it.each([
    ['deps', undefined, [0]],
    ['builder', undefined, [0, 1]],
    ['unused', undefined, [2]],
    ['prod', undefined, [0, 1, 3, 4]],
    ['debug', undefined, [0, 1, 3, 4, 5]],
    ['prod', 'assets', [0, 1, 3, 4]],
    ['debug', 'prod', [4, 5]],
    ['builder', 'builder', [1]],
    ['builder', 'unused', [0, 1]]
  ])('%s without what %s needs', (target, stopAt, needed) => {
    const stop = stopAt === undefined ? undefined : stageOf(dockerfile, stopAt)
    const images = new Set(stop === undefined ? [] : [stop.index])
    expect(stagesNeededFor(dockerfile, stageOf(dockerfile, target), images)).toEqual(needed)
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

/** With one stage replaced. */
function replace(dockerfile: Dockerfile, stage: Stage, image: string, target: Stage): string {
  return rewriteDockerfile(dockerfile, target, new Map([[stage.index, image]]))
}

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
        `FROM ${IMAGE} AS BuilDer`,
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

  const sources: [instruction: string, contextSources: string[], excludes?: string[]][] = [
    ['COPY a b /c/', ['a', 'b']],
    ['copy . .', ['.']],
    ['ADD a /b', ['a']],
    ['COPY "a" \'b\' /c/', ['a', 'b']],
    ['COPY ["a a", "b", "/c/"]', ['a a', 'b']],
    ['COPY --link ["a  a", \\\n  # no\n  "b", "/c/"]', ['a  a', 'b']],
    ['COPY [a] /b', ['[a]']],
    ['COPY --chown=1 ["a", "/c"]', ['a']],
    ['COPY --chmod=755 --link a* b?/$C /d/', ['a*', 'b?/$C']],
    ['COPY a \\\n  # no\n  b \\\n  /c/', ['a', 'b']],
    ['COPY --from=one a b', []],
    ['COPY --from=nginx a b', []],
    ['COPY --from= a b', ['a']],
    ['COPY --exclude=*.md --exclude="a/**" . /b', ['.'], ['*.md', 'a/**']],
    ['ADD --exclude=c --chown=1 a /b', ['a'], ['c']],
    ['COPY <<EOF /a\nx y\nEOF', []],
    ['COPY a <<EOF <<-"F" /b/\nEOF\nF', ['a']],
    ['ADD https://example.com/a HTTP://example.com/b c /d/', ['c']],
    ['ADD https://example.com/a.git#v1 git@example.com:a git://a /b', []],
    ['ADD ["https://example.com/a", "b", "/c"]', ['b']],
    ['RUN --mount=target=/x a', ['.']],
    ['RUN --mount=type=bind,target=/x a', ['.']],
    ['RUN --mount=type=Bind,source=a,target=/x --mount=src=b,target=/y c', ['a', 'b']],
    ['RUN --mount=type=bind,from=one,source=a,target=/x b', []],
    ['RUN --mount=type=bind,from=,source=a,target=/x b', ['a']],
    ['RUN --mount=type=cache,source=a,target=/x --mount=type=secret,src=b --mount=type=tmpfs,target=/y c', []],
    ['RUN --mount=type=bind,\\\n"source=a",target=/x b', ['a']],
    ['RUN cp --mount=target=/x a b', []],
    ['ONBUILD COPY a b', ['a']],
    ['ENV A=b', []],
    ['WORKDIR a', []]
  ]
  it.each(sources)('what %j reads from the context', (instruction, contextSources, excludes = []) => {
    expect(instructionsOf(instruction)).toEqual([expect.objectContaining({ contextSources, excludes })])
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

describe('instructionOfBuildKitStep', () => {
  const dockerfile = parseDockerfile(
    text(
      'ARG EMPTY=scratch',
      'FROM node AS image', // 2
      'ENV A=1',
      'WORKDIR /src',
      'COPY ["a", "b c", "./"]', // 5
      'ARG B',
      'RUN find . -exec rm {} \\;',
      'ONBUILD RUN trigger',
      'run <<EOF', // 9
      'make',
      'EOF',
      'RUN echo $B',
      'CMD ["a"]',
      'FROM image AS stage', // 14
      'RUN one',
      'ADD a b',
      'FROM $EMPTY AS empty', // 17
      'COPY a $B',
      'COPY b $B',
      'FROM node AS root', // 20
      'WORKDIR $B',
      'WORKDIR /',
      'RUN one $B',
      'RUN two $B',
      'RUN three', // 25
      'FROM node-$TARGETARCH AS unknown',
      'RUN one',
      'RUN same',
      'RUN same'
    )
  )
  const cases: [stage: string, number: number, step: string, line: number | undefined][] = [
    ['image', 2, 'WORKDIR /src', 4],
    ['image', 3, 'COPY [a, b c, ./]', 5],
    ['image', 4, 'RUN find . -exec rm {} ;', 7],
    ['image', 5, 'RUN <<EOF (make)', 9],
    ['image', 6, 'RUN echo 1', 12],
    ['image', 6, 'RUN cat 1', undefined],
    ['image', 6, 'COPY echo 1', undefined],
    ['image', 1, 'FROM docker.io/library/node@sha256:0', undefined],
    ['image', 7, 'CMD ["a"]', undefined],
    ['image', 3, 'RUN other', undefined],
    ['image', 3, 'ONBUILD RUN trigger', undefined],
    // after triggers of the base image
    ['image', 5, 'RUN find . -exec rm {} ;', 7],
    ['image', 9, 'RUN echo 1', undefined],
    ['stage', 1, 'ONBUILD RUN trigger', undefined],
    ['stage', 2, 'RUN one', 15],
    ['stage', 1, 'RUN one', 15],
    ['stage', 2, 'ADD a b', 16],
    ['empty', 1, 'COPY a 1', 18],
    ['empty', 2, 'COPY b 1', 19],
    ['root', 2, 'WORKDIR /x', 21],
    ['root', 3, 'RUN one 1', 23],
    ['root', 4, 'RUN two 1', 24],
    ['root', 5, 'RUN three', 25],
    ['unknown', 2, 'RUN one', 27],
    ['unknown', 1, 'RUN one', 27],
    ['unknown', 3, 'RUN same', 28],
    ['unknown', 4, 'RUN same', 29],
    ['unknown', 5, 'RUN same', undefined],
    ['unknown', 0, 'RUN same', undefined]
  ]
  it.each(cases)('[%s %i/n] %s', (stage, number, step, line) => {
    expect(instructionOfBuildKitStep(stageOf(dockerfile, stage), number, step)?.line).toBe(line)
  })
})

describe('instructionOfLegacyStep', () => {
  const dockerfile = parseDockerfile(
    text(
      'ARG A=1 B=2', // step 1
      'ARG C',
      'from node AS builder', // 3
      'env A=1',
      'RUN  a  "$B" \\', // 5
      '  c',
      'ONBUILD RUN a',
      'FROM scratch', // 7
      'FROM builder', // 8
      'COPY --from=0 a b',
      'CMD ["a"]'
    )
  )
  const cases: [number: number, step: string, found: [stage: number, line: number] | undefined][] = [
    [1, 'ARG A=1 B=2', undefined],
    [2, 'ARG C', undefined],
    [3, 'from node AS builder', undefined],
    [4, 'env A=1', [0, 4]],
    [5, 'RUN  a  "$B"   c', [0, 5]],
    [6, 'ONBUILD RUN a', [0, 7]],
    [7, 'FROM scratch', undefined],
    [8, 'FROM builder', undefined],
    [9, 'COPY --from=0 a b', [2, 10]],
    [10, 'CMD ["a"]', [2, 11]],
    [10, 'LABEL a=b', undefined],
    [11, 'LABEL a=b', undefined],
    [4, 'RUN a', undefined],
    [0, 'RUN a', undefined]
  ]
  it.each(cases)('Step %i/n : %s', (number, step, found) => {
    const result = instructionOfLegacyStep(dockerfile, number, step)
    expect(result && [result.stage.index, result.instruction.line]).toEqual(found)
  })

  it('counts in a rewritten Dockerfile', () => {
    const source = text('FROM a AS deps', 'RUN d', 'FROM deps AS builder', 'RUN b', 'FROM c AS prod', 'RUN p')
    const original = parseDockerfile(source)
    const built = parseDockerfile(rewriteDockerfile(original, stageOf(original, 2), new Map([[1, IMAGE]])))
    expect(instructionOfLegacyStep(built, 4, 'RUN p')?.instruction.line).toBe(6)
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

describe('generated Dockerfiles', () => {
  /** xorshift32: the same Dockerfiles in every run. */
  function randomFrom(seed: number): (below: number) => number {
    let state = seed
    return (below) => {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      return (state >>> 0) % below
    }
  }

  interface Model {
    name?: string
    lines: string[]
    needs: number[]
  }

  /** Stages with known needs, and between them everything that could be mistaken for a stage. */
  function generate(random: (below: number) => number): Model[] {
    const pick = <T>(...items: T[]): T => items[random(items.length)] as T
    const anyCase = (word: string) => pick(word, word.toUpperCase(), `${word[0]?.toUpperCase()}${word.slice(1)}`)
    const stages: Model[] = []
    const count = 1 + random(7)
    while (stages.length < count) {
      const index = stages.length
      const name = pick(`stage${index}`, `stage${index}`, undefined)
      const base = random(2) === 0 && index > 0 ? random(index) : undefined
      const baseName = base === undefined ? undefined : stages[base]?.name
      const needs = baseName === undefined ? [] : [base as number]
      const from = pick('FROM ', 'from  ', 'FROM \\\n# FROM no\n  ', 'FROM --platform=linux/amd64 ')
      const lines =
        `${from}${anyCase(baseName ?? 'image')}${name ? pick(' AS ', ' as ', '\tAs\t') + anyCase(name) : ''}`.split(
          '\n'
        )
      for (let more = random(5); more > 0; more--) {
        const other = index > 0 ? random(index) : undefined
        const reference = other === undefined ? 'image' : (stages[other]?.name ?? `${other}`)
        const copy = pick(
          (from: string) => [`COPY --from=${from} a b`],
          (from: string) => [`COPY --chown=1 --from="${from}" ["a", "b"]`],
          (from: string) => ['RUN \\', `  --mount=type=bind,from=${from},target=/x \\`, "  # don't", '', '  FROM no']
        )
        const instruction = pick(
          copy(anyCase(reference)),
          ['RUN <<EOF', 'FROM no AS stage0', 'COPY --from=0 a b', 'EOF'],
          ['COPY <<-"A" <<B /x/', `FROM no`, '\tA', 'COPY --from=0 a b \\', 'B'],
          ['RUN sh -c "cat <<EOF" \\', ' FROM no'],
          ['RUN dir C:\\\\'],
          ['# FROM no \\', '', 'RUN true']
        )
        if (instruction[0]?.startsWith('COPY --') || instruction[0] === 'RUN \\')
          needs.push(...(other === undefined ? [] : [other]))
        lines.push(...instruction)
      }
      stages.push({ ...(name && { name }), lines, needs })
    }
    return stages
  }

  it('are read and replaced as they were made', () => {
    const random = randomFrom(20_250_917)
    for (let round = 0; round < 500; round++) {
      const lineEnd = round % 2 ? '\n' : '\r\n'
      const model = generate(random)
      const source = [['# escape=\\', 'ARG A=1'], ...model.map(({ lines }) => lines)].flat().join(lineEnd)
      const dockerfile = parseDockerfile(source)

      let line = 3
      const expected = model.map(({ name, lines, needs }) => {
        const startLine = line
        line += lines.length
        return { name, needs: new Set(needs), startLine, endLine: line - 1 }
      })
      const actual = dockerfile.stages.map(({ name, baseStage, copiesFrom, startLine, endLine }) => ({
        name,
        needs: new Set([...copiesFrom, ...(baseStage === undefined ? [] : [baseStage])]),
        startLine,
        endLine
      }))
      expect({ source, stages: actual }).toEqual({ source, stages: expected })

      const builder = stageOf(dockerfile, random(model.length))
      const target = stageOf(dockerfile, random(model.length))
      if (target.index === builder.index) {
        expect(() => replace(dockerfile, builder, IMAGE, target)).toThrow(DockerfileError)
        continue
      }
      const replaced = replace(dockerfile, builder, IMAGE, target)
      const after = parseDockerfile(replaced)
      const was = source.split(lineEnd)
      const is = replaced.split(lineEnd)
      // what follows a line that is cut off, too
      expect(is.filter((line, index) => line !== '' || index < target.endLine)).toHaveLength(target.endLine)
      expect(is.slice(0, 2)).toEqual(was.slice(0, 2))
      expect(after.stages.map(({ name, startLine }) => ({ name, startLine }))).toEqual(
        model.slice(0, target.index + 1).map(({ name }, index) => ({ name, startLine: expected[index]?.startLine }))
      )
      const needed = new Set<number>()
      const walk = (index: number): void => {
        needed.add(index)
        if (index !== builder.index) model[index]?.needs.forEach(walk)
      }
      walk(target.index)
      for (const { index, startLine, endLine } of dockerfile.stages.slice(0, target.index + 1)) {
        const [from, ...rest] = is.slice(startLine - 1, endLine)
        if (index !== builder.index && needed.has(index)) {
          expect([from, ...rest]).toEqual(was.slice(startLine - 1, endLine))
        } else {
          const stage = after.stages[index]
          expect(stage).toMatchObject({ base: IMAGE, copiesFrom: [], startLine, endLine: startLine })
          expect(rest.join('')).toBe('')
        }
      }
    }
  })
})
