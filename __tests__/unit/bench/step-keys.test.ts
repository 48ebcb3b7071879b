import { describe, expect, it } from '@jest/globals'
import { stepKeys, unchangedSteps } from '../../../bench/step-keys.ts'

const FILES = {
  Dockerfile: `ARG BASE

FROM \${BASE} AS builder
WORKDIR /app
COPY package.json ./
# a comment
RUN npm ci
COPY . .
RUN npm run build

FROM \${BASE} AS production
WORKDIR /app
COPY package.json ./
RUN npm ci --omit=dev
COPY --from=builder /app/dist ./dist
CMD ["node", "dist"]
`,
  '.dockerignore': 'docs\nDockerfile\n.dockerignore\n',
  'package.json': '{}',
  'src/a.js': '1'
}

/** The steps whose key differs with these files. */
function changedBy(files: Record<string, string>): string[] {
  const before = stepKeys(FILES)
  return [...stepKeys({ ...FILES, ...files })].filter(([name, key]) => before.get(name) !== key).map(([name]) => name)
}

const AFTER_SOURCE = [
  'builder COPY . .',
  'builder RUN npm run build',
  'production COPY --from=builder /app/dist ./dist'
]

describe('stepKeys', () => {
  it('changes with everything that a step depends on, and with nothing else', () => {
    expect(changedBy({ 'src/a.js': '2' })).toEqual(AFTER_SOURCE)
    expect(changedBy({ 'src/b.js': '' })).toEqual(AFTER_SOURCE)
    expect(changedBy({ 'docs/a.md': 'text' })).toEqual([])
    expect(changedBy({ 'package.json': '{ }' })).toHaveLength(7)
    expect(changedBy({ Dockerfile: FILES.Dockerfile.replace('CMD', 'RUN node dist\nCMD') })).toEqual([
      'production RUN node dist'
    ])
  })

  it('is the same for stages that begin alike', () => {
    const keys = stepKeys(FILES)
    expect(keys.get('production COPY package.json ./')).toBe(keys.get('builder COPY package.json ./'))
    expect(keys.size).toBe(9)
  })

  it('refuses what it does not know', () => {
    expect(() => stepKeys({ Dockerfile: 'FROM a AS b\nADD a b\n' })).toThrow('the line ADD a b')
    expect(() => stepKeys({ Dockerfile: 'FROM a AS b\nCOPY c d\n' })).toThrow('the file c of COPY c d')
    expect(() => stepKeys({ Dockerfile: 'FROM a AS b\nCOPY --from=c d e\n' })).toThrow('the stage of COPY --from=c d e')
  })
})

describe('unchangedSteps', () => {
  it('names the executed steps that a run before has built', () => {
    const built = new Set(stepKeys(FILES).values())
    const keys = stepKeys({ ...FILES, 'src/a.js': '2' })
    expect(unchangedSteps(['builder RUN npm ci', 'builder COPY . .'], keys, built)).toEqual(['builder RUN npm ci'])
    expect(unchangedSteps(['builder RUN npm ci'], keys, new Set())).toEqual([])
    expect(() => unchangedSteps(['builder RUN x'], keys, built)).toThrow('the step builder RUN x')
  })
})
