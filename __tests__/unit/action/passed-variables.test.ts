import { expect, it } from '@jest/globals'
import { variablesAskedFor } from '../../../src/action/passed-variables.ts'
import { makeInputs } from '../../support/make-plan.ts'

it('variablesAskedFor names what build arguments and options of the tests pass on by name alone', () => {
  const inputs = makeInputs({ 'build-args': 'MINE\nX=1', 'test-options': '--env NODE_ENV\n-e Y=2\n--env=Z\n-eW' })
  expect(variablesAskedFor(inputs)).toEqual(['MINE', 'NODE_ENV', 'Z', 'W'])
})
