import { describe, expect, it } from '@jest/globals'
import { DockerfileError } from '../../../src/dockerfile/model.ts'
import { parseDockerfile } from '../../../src/dockerfile/parse.ts'
import { IMAGE, replace, stageOf } from '../../support/dockerfiles.ts'

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
