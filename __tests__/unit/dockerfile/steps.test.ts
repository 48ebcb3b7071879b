import { describe, expect, it } from '@jest/globals'
import { parseDockerfile } from '../../../src/dockerfile/parse.ts'
import { rewriteDockerfile } from '../../../src/dockerfile/rewrite.ts'
import { instructionOfBuildKitStep, instructionOfLegacyStep } from '../../../src/dockerfile/steps.ts'
import { IMAGE, stageOf, text } from '../../support/dockerfiles.ts'

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
