import { expect, it } from '@jest/globals'
import { valuesOfBuildArgs, variablesAskedFor } from '../../../src/action/passed-variables.ts'
import { makeInputs } from '../../support/make-plan.ts'

it('variablesAskedFor names what build arguments and options of the tests pass on by name alone', () => {
  const inputs = makeInputs({ 'build-args': 'MINE\nX=1', 'test-options': '--env NODE_ENV\n-e Y=2\n--env=Z\n-eW' })
  expect(variablesAskedFor(inputs)).toEqual(['MINE', 'NODE_ENV', 'Z', 'W'])
})

it('valuesOfBuildArgs takes the value of an argument that is given by name alone from the environment', () => {
  const env = { FLAVOUR: 'rich', EMPTY: '', X: 'not this one' }
  expect(Object.fromEntries(valuesOfBuildArgs(['FLAVOUR', 'EMPTY', 'NONE', 'X=1=2', 'Y='], env))).toEqual({
    ...{ FLAVOUR: 'rich', EMPTY: '', X: '1=2', Y: '' }
  })
})
