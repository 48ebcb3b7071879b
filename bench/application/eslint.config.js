import js from '@eslint/js'

const globals = {
  fetch: 'readonly',
  performance: 'readonly',
  process: 'readonly',
  describe: 'readonly',
  it: 'readonly'
}

export default [js.configs.recommended, { languageOptions: { globals } }]
