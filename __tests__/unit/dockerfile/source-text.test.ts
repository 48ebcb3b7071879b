import { describe, expect, it } from '@jest/globals'
import { parseDockerfile } from '../../../src/dockerfile/parse.ts'
import { outline, text } from '../../support/dockerfiles.ts'

describe('parseDockerfile', () => {
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
})
