// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles look like that
import { describe, expect, it } from '@jest/globals'
import { parseDockerfile } from '../../../src/dockerfile/parse.ts'
import { text } from '../../support/dockerfiles.ts'

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
