import { execFileSync } from 'node:child_process'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { type Commit, EventError, readCommit } from '../../../src/action/event.ts'
import { quote } from '../../../src/lib/text.ts'
import { cases, faultsOf, hostile, mutated } from '../../support/cases.ts'

const SHA = '6113728f27ae82c7b1a177c8d03f9e96e0adf246'

const wellFormed = fc.stringMatching(/^[a-z0-9_@#-]{1,8}(\.[a-z0-9]{1,4}|\/[a-z0-9-]{1,8}){0,4}$/)
const PIECES = [
  'refs/heads/',
  'refs/tags/',
  '.lock',
  '.lock/',
  '@{',
  '@{-1}',
  '//',
  '/.',
  '[',
  '^',
  '?',
  'HEAD',
  'feature/x'
]
const names = fc.oneof(wellFormed, mutated(wellFormed), hostile(...PIECES))

/** Whether git can hold a branch of that name (git-check-ref-format(1)), rule by rule; `@` is taken for none by us alone. */
function isHeld(name: string): boolean {
  const parts = name.split('/')
  if (parts.some((part) => part === '' || part.startsWith('.') || part.endsWith('.lock'))) return false
  if (['..', '@{', '\\', '~', '^', ':', '?', '*', '[', ' ', '\u007f'].some((text) => name.includes(text))) return false
  return [...name].every((character) => character >= ' ') && !name.endsWith('.') && name !== '@'
}

/** What git would hold and no terminal should show; a lone surrogate is in no ref. */
const EXOTIC = /[\u0080-\u009f\u2028\u2029\p{Cs}]/u

/** Wherever GitHub or git writes a name, and where it comes out. */
const PLACES: Record<string, (name: string) => string | undefined> = {
  'GITHUB_REF of a branch': (name) => read({ GITHUB_REF: `refs/heads/${name}` }).branch,
  'GITHUB_REF of a tag': (name) => read({ GITHUB_REF: `refs/tags/${name}` }).tag,
  'GITHUB_REF_NAME of a branch': (name) => read({ GITHUB_REF_NAME: name, GITHUB_REF_TYPE: 'branch' }).branch,
  'GITHUB_REF_NAME of a tag': (name) => read({ GITHUB_REF_NAME: name, GITHUB_REF_TYPE: 'tag' }).tag,
  'a pull request': (name) =>
    read({ GITHUB_EVENT_NAME: 'pull_request' }, { pull_request: { head: { sha: SHA, ref: name } } }).branch,
  'a workflow run': (name) =>
    read({ GITHUB_EVENT_NAME: 'workflow_run' }, { workflow_run: { head_sha: SHA, head_branch: name } }).branch,
  'a merge group': (name) =>
    read({ GITHUB_EVENT_NAME: 'merge_group' }, { merge_group: { head_sha: SHA, head_ref: `refs/heads/${name}` } })
      .branch,
  'a release': (name) => read({ GITHUB_EVENT_NAME: 'release' }, { release: { tag_name: name } }).tag,
  'the default branch': (name) => read({}, { repository: { default_branch: name } }).defaultBranch ?? '',
  'the work tree': (name) => (name === 'HEAD' ? name : readCommit({}, undefined, { sha: SHA, branch: name }).branch)
}

function read(env: Record<string, string>, payload: unknown = {}): Commit {
  return readCommit({ GITHUB_EVENT_NAME: 'push', GITHUB_SHA: SHA, ...env }, payload)
}

describe('names of branches and tags', () => {
  it.each(Object.entries(PLACES))('%s: one that git holds, as it is, or none', (_, nameOf) => {
    fc.assert(
      fc.property(names, (name) => {
        expect(nameOf(name)).toBe(isHeld(name) && !EXOTIC.test(name) ? name : '')
      }),
      cases()
    )
  })

  it('git itself says the same', () => {
    const script = `for name do
      ref=0 branch=0
      git check-ref-format "refs/heads/$name" && ref=1
      git check-ref-format --branch "$name" >/dev/null 2>&1 && branch=1
      echo $ref$branch
    done`
    // what an argument can hold
    const asArgument = names.filter((name) => !/[\0\p{Cs}]/u.test(name) && name.length < 1_000)
    fc.assert(
      fc.property(fc.array(asArgument, { minLength: 1, maxLength: 20 }), (all) => {
        // outside any repository, where @{-1} would be a branch
        const answers = execFileSync('sh', ['-c', script, 'sh', ...all], { cwd: '/', encoding: 'utf8' }).split('\n')
        for (const [index, name] of all.entries()) {
          const [ref, asBranch] = answers[index] ?? ''
          const { branch } = read({ GITHUB_REF: `refs/heads/${name}` })
          expect(branch).toBe(ref === '1' && name !== '@' && !EXOTIC.test(name) ? name : '')
          // git makes no branch of these names, but holds one that another program has made
          if (branch !== '' && branch !== 'HEAD' && !branch.startsWith('-')) expect(asBranch).toBe('1')
        }
      }),
      cases(400)
    )
  })
})

describe('readCommit', () => {
  it('says nothing invisible, and of what is no commit one clear line', () => {
    const text = fc.oneof(names, hostile())
    const payload = fc.record({
      ref: text,
      deleted: fc.boolean(),
      repository: fc.record({ default_branch: text, full_name: text }),
      pull_request: fc.record({ head: fc.record({ sha: fc.oneof(fc.constant(SHA), text), ref: text }) }),
      release: fc.record({ tag_name: text })
    })
    const env = fc.record({
      GITHUB_EVENT_NAME: fc.oneof(fc.constantFrom('push', 'pull_request', 'release', 'schedule', ''), text),
      GITHUB_SHA: fc.oneof({ weight: 3, arbitrary: fc.constant(SHA) }, text),
      GITHUB_REF: text,
      GITHUB_REPOSITORY: text,
      GITHUB_SERVER_URL: text
    })
    fc.assert(
      fc.property(env, payload, (variables, event) => {
        try {
          const { event: _, ...context } = readCommit(variables, event)
          expect(Object.values(context).join('')).not.toMatch(/[\p{Cc}\p{Cs}\u2028\u2029]/u)
        } catch (error) {
          expect(error).toBeInstanceOf(EventError)
          expect(faultsOf((error as EventError).message)).toEqual([])
        }
      }),
      cases()
    )
  })
})

describe('quote', () => {
  it('is one short line of JSON without anything invisible, and the text itself if that is short', () => {
    fc.assert(
      fc.property(hostile(...PIECES), (text) => {
        const quoted = quote(text)
        expect(faultsOf(quoted)).toEqual([])
        // of white space only the plain space, of the unassigned nothing
        expect(quoted).not.toMatch(/(?! )[\p{Z}\p{C}]/u)
        expect(quoted.length).toBeLessThanOrEqual(305)
        const read = String(JSON.parse(quoted))
        if (text.length <= 50) expect(read).toBe(text)
        else expect(text.startsWith(read.replace(/\.\.\.$/, ''))).toBe(true)
      }),
      cases()
    )
  })
})
