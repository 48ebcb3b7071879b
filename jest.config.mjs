export default {
  testEnvironment: 'node',
  // the tests on real engines wait more than they compute: one worker a core, not one less
  maxWorkers: '100%',
  extensionsToTreatAsEsm: ['.ts'],
  testMatch: ['**/__tests__/**/*.test.ts'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'es6' } }]
  },
  collectCoverageFrom: ['src/**/*.ts']
}
