import { chmodSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { narrowModes, unusualModes } from '../../../src/git/file-modes.ts'

let top: string
let folder: string

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'modes-'))
  folder = join(top, 'context')
  mkdirSync(join(folder, 'src'), { recursive: true })
  mkdirSync(join(top, 'outside'))
  for (const name of ['context/file', 'context/script', 'context/src/main', 'context/private', 'outside/file']) {
    writeFileSync(join(top, name), '')
  }
})
afterEach(() => rmSync(top, { recursive: true }))

const TRACKED = ['file', 'script', 'src/main', 'private', 'gone']

function setModes(file: number, script: number): void {
  chmodSync(folder, script)
  chmodSync(join(folder, 'src'), script)
  chmodSync(join(folder, 'file'), file)
  chmodSync(join(folder, 'src/main'), file)
  chmodSync(join(folder, 'script'), script)
  chmodSync(join(folder, 'private'), 0o600)
}

function modes(): string[] {
  return ['.', 'src', 'file', 'src/main', 'script', 'private'].map((name) =>
    (lstatSync(join(folder, name)).mode & 0o7777).toString(8)
  )
}

describe('narrowModes', () => {
  it.each([
    ['002', 0o002, 0o664, 0o775],
    ['000', 0o000, 0o666, 0o777]
  ])('after a checkout under umask %s gives the modes of 022, and back', (_, umask, file, script) => {
    setModes(file, script)
    const before = modes()
    const restore = narrowModes(folder, TRACKED, umask)
    expect(modes()).toEqual(['755', '755', '644', '644', '755', '600'])
    restore()
    expect(modes()).toEqual(before)
  })

  it.each([
    ['022', 0o022, 0o644, 0o755],
    ['027: to widen would show the files to others', 0o027, 0o640, 0o750],
    ['077', 0o077, 0o600, 0o700]
  ])('does nothing under umask %s', (_, umask, file, script) => {
    setModes(file, script)
    const before = modes()
    narrowModes(folder, TRACKED, umask)
    expect(modes()).toEqual(before)
  })

  it('leaves alone what somebody gave another mode, what is not tracked, and what was changed since', () => {
    setModes(0o664, 0o775)
    chmodSync(join(folder, 'file'), 0o620)
    const restore = narrowModes(folder, ['file', 'src/main'], 0o002)
    expect(modes()).toEqual(['755', '755', '620', '644', '775', '600'])
    chmodSync(join(folder, 'src/main'), 0o640)
    restore()
    expect(modes()).toEqual(['775', '775', '620', '640', '775', '600'])
  })

  it('follows no symbolic link', () => {
    setModes(0o664, 0o775)
    chmodSync(join(top, 'outside'), 0o775)
    chmodSync(join(top, 'outside/file'), 0o664)
    symlinkSync('../outside', join(folder, 'folder'))
    symlinkSync('../outside/file', join(folder, 'link'))
    narrowModes(folder, ['folder/file', 'link', '../outside/file'], 0o002)
    expect(lstatSync(join(top, 'outside/file')).mode & 0o777).toBe(0o664)
    expect(lstatSync(join(top, 'outside')).mode & 0o777).toBe(0o775)
  })
})

describe('unusualModes', () => {
  it('tells tracked files that no usual checkout makes', () => {
    setModes(0o640, 0o755)
    expect(unusualModes(folder, TRACKED)).toEqual([
      { path: 'file', mode: '640' },
      { path: 'src/main', mode: '640' },
      { path: 'private', mode: '600' }
    ])
  })
})
