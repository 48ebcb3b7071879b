import { describe, expect, it } from '@jest/globals'
import { decideMove, type MoveFacts } from '../../../../src/pipeline/publish/promote-policy.ts'
import type { FailureKind } from '../../../../src/registry/failure.ts'
import { failureOf } from '../../../support/fake-registry.ts'

const FACTS = { commit: 'a'.repeat(40), branch: 'master', reference: 'octo/app:latest', isMoving: true }
const OTHER = 'b'.repeat(40)

describe('decideMove', () => {
  type Row = [string, Partial<MoveFacts> & Pick<MoveFacts, 'published'>, 'moves' | 'moves, with a warning' | 'stays']
  it.each<Row>([
    ['nothing is published', { published: null }, 'moves'],
    ['the published image says of no commit', { published: undefined }, 'moves, with a warning'],
    ['the same commit is published', { published: FACTS.commit, toPublished: 'identical' }, 'moves'],
    ['an older commit is published', { published: OTHER, toPublished: 'ahead' }, 'moves'],
    [
      'an older commit is published, under the tag of a newer one, too',
      { published: OTHER, toPublished: 'ahead', retaggedFor: 'c'.repeat(40) },
      'stays'
    ],
    [
      'the same commit is published, under the tag of a newer one, too',
      { published: FACTS.commit, toPublished: 'identical', retaggedFor: 'c'.repeat(40) },
      'stays'
    ],
    [
      'an older commit is published, and the branch no longer has this one',
      { published: OTHER, toPublished: 'ahead', tipToCommit: 'diverged' },
      'stays'
    ],
    [
      'an older commit is published, and the tip is older than this one',
      { published: OTHER, toPublished: 'ahead', tipToCommit: 'behind' },
      'moves, with a warning'
    ],
    ['a newer commit is published', { published: OTHER, toPublished: 'behind' }, 'stays'],
    [
      'a newer commit is published, and the tip is not this one',
      { published: OTHER, toPublished: 'behind', tipToCommit: 'ahead' },
      'stays'
    ],
    [
      'a newer commit was published, and the branch was reset to this one',
      { published: OTHER, toPublished: 'behind', tipToCommit: 'identical' },
      'moves, with a warning'
    ],
    [
      'a newer commit was published that the branch no longer has, and the branch has this one',
      { published: OTHER, toPublished: 'behind', tipToCommit: 'ahead', tipToPublished: 'diverged' },
      'moves, with a warning'
    ],
    [
      'a newer commit is published, and GitHub tells of an older tip',
      { published: OTHER, toPublished: 'behind', tipToCommit: 'ahead', tipToPublished: 'behind' },
      'stays'
    ],
    ['nobody could be asked', { published: OTHER, toPublished: undefined }, 'moves, with a warning'],
    [
      'parted, and the tip is this commit',
      { published: OTHER, toPublished: 'diverged', tipToCommit: 'identical' },
      'moves'
    ],
    [
      'parted, and the branch has this commit',
      { published: OTHER, toPublished: 'diverged', tipToCommit: 'ahead' },
      'moves'
    ],
    [
      'parted, and the branch was reset before it',
      { published: OTHER, toPublished: 'diverged', tipToCommit: 'behind' },
      'stays'
    ],
    [
      'parted, and the branch has it no more',
      { published: OTHER, toPublished: 'diverged', tipToCommit: 'diverged' },
      'stays'
    ],
    ['parted, and the tip is not known', { published: OTHER, toPublished: 'diverged' }, 'moves, with a warning'],
    [
      'parted, and the branch is gone',
      { published: OTHER, toPublished: 'diverged', tipToCommit: 'unknown' },
      'moves, with a warning'
    ],
    [
      'an unknown commit is published, and the branch has this one',
      { published: OTHER, toPublished: 'unknown', tipToCommit: 'ahead' },
      'moves'
    ],
    [
      'an unknown commit is published, and the branch lacks this one',
      { published: OTHER, toPublished: 'unknown', tipToCommit: 'diverged' },
      'stays'
    ],
    [
      'an unknown commit is published, under the tag of a newer one, too',
      { published: OTHER, toPublished: 'unknown', tipToCommit: 'ahead', retaggedFor: 'c'.repeat(40) },
      'stays'
    ],
    [
      'neither commit is known',
      { published: OTHER, toPublished: 'unknown', tipToCommit: 'unknown' },
      'moves, with a warning'
    ]
  ])('%s', (_, facts, expected) => {
    const { move, notice, warning, failure } = decideMove({ ...FACTS, ...facts })
    expect(move ? (warning === undefined ? 'moves' : 'moves, with a warning') : 'stays').toBe(expected)
    expect(notice === undefined).toBe(move)
    expect(failure).toBeUndefined()
  })

  const kinds: FailureKind[] = ['absent', 'refused', 'unreachable', 'untrusted', 'unknown']
  it.each(kinds)('a published image that cannot be read (%s): the tags stay, and the run fails', (kind) => {
    for (const published of [undefined, OTHER]) {
      const failure = failureOf(kind, 'EOF')
      const blind = decideMove({ ...FACTS, published, failure, toPublished: 'ahead' })
      expect(blind).toEqual({ move: false, failure: { kind: 'guard', reference: 'octo/app:latest', failure } })
    }
  })

  it('names both commits, and the branch in quotes', () => {
    const late = decideMove({ ...FACTS, published: OTHER, toPublished: 'behind' })
    expect(late.notice).toMatch(/octo\/app:latest already names the newer commit bbbbbbb; this run of aaaaaaa is late$/)
    const unnamed = decideMove({ ...FACTS, published: undefined })
    expect(unnamed.warning).toMatch(/^The published image octo\/app:latest names no commit; updating it to aaaaaaa/)
    const parted = decideMove({
      ...FACTS,
      branch: 'a\n::error::b',
      published: OTHER,
      toPublished: 'diverged',
      tipToCommit: 'diverged'
    })
    const retagged = {
      published: OTHER,
      toPublished: 'diverged',
      tipToCommit: 'ahead',
      retaggedFor: 'c'.repeat(40)
    } as const
    expect(decideMove({ ...FACTS, ...retagged }).notice).toBe(
      'The moving tags are not updated: octo/app:latest already names the image of the newer commit ccccccc; this run of aaaaaaa is late'
    )
    const branchTag = { reference: 'octo/app:topic', isMoving: false, published: OTHER, toPublished: 'behind' } as const
    expect(decideMove({ ...FACTS, ...branchTag }).notice).toMatch(/^octo\/app:topic is not updated: octo/)
    expect(parted.notice).toContain('branch "a\\n::error::b" no longer contains commit aaaaaaa')
  })
})
