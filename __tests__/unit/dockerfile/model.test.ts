import { describe, expect, it } from '@jest/globals'
import { findStage } from '../../../src/dockerfile/model.ts'
import { parseDockerfile } from '../../../src/dockerfile/parse.ts'
import { text } from '../../support/dockerfiles.ts'

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
