import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { pathInRepository, variantOf } from '../../../src/plan/variant.ts'
import { makeInputs } from '../../support/make-plan.ts'

describe('variantOf', () => {
  const inputs = { builderTag: 'builder', latestTag: 'latest', platform: undefined }
  const usual = { inputs, target: 'stage-1', file: 'Dockerfile' }

  it('is 16 digits, equal for equal jobs, whatever else they do', () => {
    expect(variantOf(usual)).toMatch(/^[0-9a-f]{16}$/)
    expect(variantOf({ ...usual, inputs: makeInputs({ tags: '1.2', tests: 'c', 'build-args': 'A=1' }) })).toBe(
      variantOf(usual)
    )
    expect(variantOf({ ...usual, inputs: { ...inputs, platform: 'linux/AMD64' } })).toBe(
      variantOf({ ...usual, inputs: { ...inputs, platform: 'linux/amd64' } })
    )
  })

  it('differs with each part', () => {
    const variants = [
      usual,
      { ...usual, target: 'app' },
      { ...usual, file: 'debian/Dockerfile' },
      { ...usual, inputs: { ...inputs, builderTag: 'builder-alpine' } },
      { ...usual, inputs: { ...inputs, latestTag: 'alpine' } },
      { ...usual, inputs: { ...inputs, platform: 'linux/arm64' } }
    ]
    expect(new Set(variants.map(variantOf)).size).toBe(variants.length)
  })
})

describe('pathInRepository', () => {
  let top: string

  beforeAll(() => {
    top = mkdtempSync(join(tmpdir(), 'variant-'))
    mkdirSync(join(top, 'app'))
    mkdirSync(join(top, 'docker'))
    for (const file of ['app/Dockerfile', 'docker/Dockerfile']) writeFileSync(join(top, file), '')
    symlinkSync('app', join(top, 'link'))
  })
  afterAll(() => rmSync(top, { recursive: true }))

  it.each([
    ['app/Dockerfile', 'app', 'app/', 'app/Dockerfile'],
    ['link/Dockerfile', 'link', 'app/', 'app/Dockerfile'],
    ['docker/Dockerfile', 'app', 'app/', 'docker/Dockerfile'],
    ['docker/Dockerfile', '.', '', 'docker/Dockerfile'],
    // without git
    ['app/Dockerfile', 'app', '', 'Dockerfile']
  ])('%s, context %s at %j: %s', async (file, context, prefix, expected) => {
    expect(await pathInRepository(join(top, file), join(top, context), prefix)).toBe(expected)
  })
})
