import { describe, expect, it } from '@jest/globals'
import { differencesOfBuilders } from '../../../src/dockerfile/builder-differences.ts'
import { parseDockerfile } from '../../../src/dockerfile/parse.ts'

describe('differencesOfBuilders', () => {
  it.each<[string, string[], string[]]>([
    ['a plain Dockerfile', ['FROM x AS builder', 'ARG A=1', 'RUN true', 'FROM y', 'RUN true'], []],
    [
      'a command that may read an ARG of the stage below',
      ['FROM x AS builder', 'ARG A=1', 'FROM builder', 'COPY a b', 'RUN true'],
      ['ARG A of stage builder in stage stage-1 (line 5)']
    ],
    [
      'a value with an ARG of a stage further below',
      ['FROM x AS common', 'ARG A', 'FROM common AS builder', 'FROM builder', 'ENV B=$A'],
      ['ARG A of stage builder in stage stage-2 (line 5)']
    ],
    ['nothing that reads an ARG', ['FROM x AS builder', 'ARG A', 'FROM builder', 'COPY a b', 'CMD echo $A'], []],
    ['ENV and ARG of one name', ['FROM x AS builder', 'ENV A=1', 'ARG A=2', 'RUN true'], ['ARG and ENV A (line 3)']],
    ['a folder of a user', ['FROM x AS builder', 'USER app', 'WORKDIR /a'], ['WORKDIR after USER (line 3)']],
    ['a folder of root', ['FROM x AS builder', 'USER root', 'WORKDIR /a'], []],
    [
      'two health checks',
      ['FROM x AS builder', 'HEALTHCHECK --interval=1s CMD x', 'FROM builder', 'HEALTHCHECK NONE'],
      ['a second HEALTHCHECK (line 4)']
    ],
    ['a stage that nothing needs', ['FROM x AS other', 'USER app', 'WORKDIR /a', 'FROM x'], []]
  ])('finds %s', (_, lines, expected) => {
    const dockerfile = parseDockerfile(lines.join('\n'))
    expect(differencesOfBuilders(dockerfile, dockerfile.stages.slice(-1))).toEqual(expected)
  })
})
