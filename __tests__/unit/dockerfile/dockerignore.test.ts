import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { readDockerignore } from '../../../src/dockerfile/dockerignore.ts'

describe('readDockerignore', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dockerignore-'))
    mkdirSync(join(folder, 'context'))
    mkdirSync(join(folder, 'docker'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it.each<[string[], string]>([
    [[], ''],
    [['context/.dockerignore'], 'context/.dockerignore'],
    [['docker/.dockerignore'], ''],
    [['docker/Other.dockerignore'], 'docker/Other.dockerignore'],
    [['context/.dockerignore', 'docker/Other.dockerignore'], 'docker/Other.dockerignore'],
    [['context/.dockerignore', 'docker/Dockerfile.dockerignore'], 'context/.dockerignore']
  ])('with %j reads %j', async (names, expected) => {
    for (const name of names) writeFileSync(join(folder, name), name)
    expect(await readDockerignore(join(folder, 'context'), join(folder, 'docker/Other'))).toBe(expected)
  })

  it.each([
    [['context/.dockerignore', 'docker/Other.dockerignore'], 'context/.dockerignore'],
    [['docker/Other.dockerignore', 'context/undefined.dockerignore'], '']
  ])('for the legacy builder, with %j reads %j', async (names, expected) => {
    for (const name of names) writeFileSync(join(folder, name), name)
    expect(await readDockerignore(join(folder, 'context'), undefined)).toBe(expected)
  })

  it('prefers an empty file to the other', async () => {
    writeFileSync(join(folder, 'context/.dockerignore'), '*')
    writeFileSync(join(folder, 'docker/Other.dockerignore'), '')
    expect(await readDockerignore(join(folder, 'context'), join(folder, 'docker/Other'))).toBe('')
  })

  it('goes on if it is a folder', async () => {
    mkdirSync(join(folder, 'context/.dockerignore'))
    expect(await readDockerignore(join(folder, 'context'), join(folder, 'docker/Other'))).toBe('')
  })
})
