import { availableParallelism } from 'node:os'

export default {
  testEnvironment: 'node',
  // the tests on real engines wait half of their time; jest takes no more than 100 %
  maxWorkers: Math.ceil(1.5 * availableParallelism()),
  extensionsToTreatAsEsm: ['.ts'],
  testMatch: ['**/__tests__/**/*.test.ts'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'es6' } }]
  },
  collectCoverageFrom: ['src/**/*.ts']
}
