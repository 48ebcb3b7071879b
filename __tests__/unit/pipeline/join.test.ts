import { describe, expect, it } from '@jest/globals'
import { joinPlatforms, whyOtherImage } from '../../../src/pipeline/join.ts'
import { REVISION_LABEL } from '../../../src/plan/labels.ts'
import { VARIANT_LABEL } from '../../../src/plan/variant.ts'
import type { Failure, Publication } from '../../../src/result/result.ts'
import { Contents, FakeRegistry, failureOf, imageOf } from '../../support/fake-registry.ts'
import { makePlan, SHA } from '../../support/make-plan.ts'
import { makeRun } from '../../support/make-run.ts'

const plan = makePlan()
const { image } = plan.inputs
const { production, movingProduction } = plan.refs
const IMAGES = [
  { platform: 'linux/amd64', digest: `sha256:${'1'.repeat(64)}` },
  { platform: 'linux/arm/v7', digest: `sha256:${'2'.repeat(64)}` }
]
const labels = { [REVISION_LABEL]: SHA, [VARIANT_LABEL]: plan.variant }

/** What the registry says of the two images: their own platforms, unless a test says otherwise. */
function contentsOf(platforms = ['linux/amd64', 'linux/arm']): Contents {
  const contents = new Contents()
  for (const [index, { digest }] of IMAGES.entries()) {
    const platform = platforms[index]
    contents.put(`${image}@${digest}`, imageOf(digest, { labels, ...(platform !== undefined && { platform }) }))
  }
  return contents
}

async function join(registry: FakeRegistry): Promise<{ publication?: Publication; failures: Failure[] }> {
  const result: { publication?: Publication; failures: Failure[] } = { failures: [] }
  await joinPlatforms(makeRun({ plan, registry }), IMAGES, result)
  return result
}

describe('joinPlatforms', () => {
  it('gives one index the tag of the commit and the moving tag', async () => {
    const registry = new FakeRegistry(contentsOf())
    const { publication, failures } = await join(registry)
    expect(failures).toEqual([])
    expect(publication).toMatchObject({ pushed: [production, movingProduction], published: true })
    expect(registry.indexes.get(publication?.digest ?? '')).toEqual(IMAGES.map(({ digest }) => digest))
    expect(registry.contents.get(movingProduction)?.digest).toBe(publication?.digest)
  })

  it('sets no tag twice if the commit has that very index', async () => {
    const puts: string[] = []
    const turn = (request: string): void => void (request.startsWith(`put ${production}`) && puts.push(request))
    const registry = new FakeRegistry(contentsOf(), { turn })
    const first = await join(registry)
    const again = await join(registry)
    expect(again).toMatchObject({ failures: [], publication: { digest: first.publication?.digest } })
    expect(puts).toHaveLength(1)
  })

  it.each([
    [
      'an image of another platform',
      new FakeRegistry(contentsOf(['linux/amd64', 'linux/amd64'])),
      'is one for linux/amd64'
    ],
    ['an image that does not exist', new FakeRegistry(), 'cannot be read']
  ])('joins nothing with %s', async (_, registry, why) => {
    const { publication, failures } = await join(registry)
    expect(failures).toEqual([{ kind: 'error', message: expect.stringContaining(why) }])
    expect(publication).toMatchObject({ pushed: [], published: false })
    expect([production, movingProduction].map((tag) => registry.contents.get(tag))).toEqual([undefined, undefined])
  })

  it('sets no other tag if the index cannot be pushed', async () => {
    const fail = (request: string) => (request === `put ${production}` ? failureOf('refused') : undefined)
    const registry = new FakeRegistry(contentsOf(), { fail })
    expect((await join(registry)).failures).toEqual([
      { kind: 'push', reference: production, failure: failureOf('refused') }
    ])
    expect(registry.contents.get(movingProduction)).toBeUndefined()
  })
})

describe('whyOtherImage', () => {
  const [{ digest } = { digest: '' }] = IMAGES
  const why = async (more: Record<string, string>, named = digest): Promise<string | undefined> => {
    const contents = new Contents()
    contents.put(production, imageOf(named, { labels: { ...labels, ...more } }))
    return whyOtherImage(makeRun({ plan, registry: new FakeRegistry(contents) }), digest, new Map())
  }

  it('is undefined for the image of this commit under the tag of its platform', async () => {
    expect(await why({})).toBeUndefined()
  })

  it.each<[Record<string, string>, string, string | undefined]>([
    [{}, 'names another image', `sha256:${'3'.repeat(64)}`],
    [{ [VARIANT_LABEL]: 'other' }, 'another variant', undefined],
    [{ [REVISION_LABEL]: 'f'.repeat(40) }, 'not known to have the content', undefined]
  ])('refuses an image with %j: %s', async (more, reason, named) => {
    expect(await why(more, named)).toContain(reason)
  })
})
