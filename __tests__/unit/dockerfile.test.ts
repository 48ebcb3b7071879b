// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles look like that
import { describe, expect, it } from '@jest/globals'
import {
  type Dockerfile,
  DockerfileError,
  findStage,
  parseDockerfile,
  replaceStage,
  type Stage,
  stagesNeededFor
} from '../../src/dockerfile.ts'

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
      stages: [{ index: 0, name: 'some_name', base: 'Host:5000/${A:-b}', copiesFrom: [], startLine: 2, endLine: 2 }],
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
    expect(stagesNeededFor(dockerfile, stageOf(dockerfile, target), stop)).toEqual(needed)
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

describe('replaceStage', () => {
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
      'the builder is the target',
      'builder',
      'builder',
      ['FROM a AS deps', 'FROM deps AS builder', 'RUN make', 'FROM b'],
      [`FROM ${IMAGE} AS deps`, `FROM ${IMAGE} AS builder`, '', 'FROM b']
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
      const replaced = replaceStage(dockerfile, stageOf(dockerfile, stage), IMAGE, stageOf(dockerfile, target))
      expect(replaced).toBe(join(after))
    })
  })

  it('keeps mixed line ends, indentation and odd blanks', () => {
    const before = '\tFROM go AS builder\r\n RUN a\n\r\n  FROM alpine\t AS\tprod \r\nCOPY  --from=builder a b\n\n\n'
    const dockerfile = parseDockerfile(before)
    expect(replaceStage(dockerfile, stageOf(dockerfile, 0), IMAGE, stageOf(dockerfile, 1))).toBe(
      `\tFROM ${IMAGE} AS builder\r\n\n\r\n  FROM alpine\t AS\tprod \r\nCOPY  --from=builder a b\n\n\n`
    )
  })

  it('knows the build args that decide which stages are needed', () => {
    const source = text('ARG B=a', 'FROM x AS a', 'RUN a', 'FROM x AS b', 'RUN b', 'FROM go AS builder', 'FROM $B')
    const dockerfile = parseDockerfile(source, { B: 'b' })
    const replaced = replaceStage(dockerfile, stageOf(dockerfile, 'builder'), IMAGE, stageOf(dockerfile, 3))
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
    const replace = () => replaceStage(dockerfile, stageOf(dockerfile, 0), image, stageOf(dockerfile, 1))
    expect(replace).toThrow(DockerfileError)
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
      const replaced = replaceStage(dockerfile, builder, IMAGE, target)
      const after = parseDockerfile(replaced)
      const was = source.split(lineEnd)
      const is = replaced.split(lineEnd)
      expect(is).toHaveLength(was.length)
      expect(is.slice(0, 2)).toEqual(was.slice(0, 2))
      expect(after.stages.map(({ name, startLine }) => ({ name, startLine }))).toEqual(
        model.map(({ name }, index) => ({ name, startLine: expected[index]?.startLine }))
      )
      const needed = new Set<number>()
      const walk = (index: number): void => {
        needed.add(index)
        if (index !== builder.index) model[index]?.needs.forEach(walk)
      }
      walk(target.index)
      for (const { index, startLine, endLine } of dockerfile.stages) {
        const [from, ...rest] = is.slice(startLine - 1, endLine)
        if (index !== builder.index && (needed.has(index) || index > target.index)) {
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
