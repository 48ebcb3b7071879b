import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { buildArgsOf, pathInRepository, variantOf } from '../../../src/plan/variant.ts'
import { makeInputs } from '../../support/make-plan.ts'

describe('variantOf', () => {
  const inputs = { builderTag: 'builder', latestTag: 'latest', platform: undefined }
  const usual = { inputs, target: 'stage-1', file: 'Dockerfile', folder: '' }

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
      { ...usual, folder: 'debian/' },
      { ...usual, inputs: { ...inputs, builderTag: 'builder-alpine' } },
      { ...usual, inputs: { ...inputs, latestTag: 'alpine' } },
      { ...usual, inputs: { ...inputs, platform: 'linux/arm64' } }
    ]
    expect(new Set(variants.map(variantOf)).size).toBe(variants.length)
  })
})

describe('buildArgsOf', () => {
  const text = [
    'ARG BASE=alpine',
    'FROM $BASE AS builder',
    '\targ NODE=20 \\',
    '    BUILD_DATE OTHER=a',
    'ARG RUN_NUMBER',
    'RUN echo ARG UNDECLARED'
  ].join('\n')
  const of = (...buildArgs: string[]): string => buildArgsOf({ text }, buildArgs, { FROM_ENV: '1', OTHER: 'env' })

  it('is 16 digits, different with each value of a declared argument', () => {
    const all = [
      of(),
      of('NODE=20'),
      of('NODE=22'),
      of('BASE=debian'),
      of('NODE=22', 'OTHER=b'),
      of('OTHER'),
      of('NODE=')
    ]
    for (const one of all) expect(one).toMatch(/^[0-9a-f]{16}$/)
    expect(new Set(all).size).toBe(all.length)
  })

  it.each([
    ['in another order', ['NODE=22', 'BASE=debian'], ['BASE=debian', 'NODE=22']],
    ['with an earlier value of the same argument', ['NODE=20', 'NODE=22'], ['NODE=22']],
    ['with one that the Dockerfile does not declare', ['UNDECLARED=1'], []],
    ['with those that differ between two runs of a commit', ['BUILD_DATE=today', 'RUN_NUMBER=7'], []],
    ['with one that has no value', ['FROM_ENV', 'NODE'], []],
    ['with a value of the environment', ['OTHER'], ['OTHER=env']]
  ])('is the same %s', (_, some, others) => {
    expect(of(...some)).toBe(of(...others))
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
