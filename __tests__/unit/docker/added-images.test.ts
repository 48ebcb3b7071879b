import { describe, expect, it } from '@jest/globals'
import { type AddedImages, ImageRecorder, removeAddedImages } from '../../../src/docker/added-images.ts'
import type { CallOptions, Docker } from '../../../src/docker/docker.ts'
import { CancelledError } from '../../../src/lib/errors.ts'
import type { ExecResult } from '../../../src/lib/exec.ts'

const LABELS = { 'shared-docker-layers.keys': '{}' }
const id = (digit: string): string => `sha256:${digit.repeat(64)}`

/** An engine with images that have names, as far as tagging and removing them goes. */
class Engine implements Docker {
  readonly labels = new Map<string, object>()
  readonly names = new Map<string, string>()
  /** The image of the next build; undefined if it is cancelled before it has one. */
  next: string | undefined
  output = ''
  /** What else happens during a build. */
  during = (): void => undefined
  isUsed = false

  add(image: string, labels: object, ...names: string[]): void {
    this.labels.set(image, labels)
    for (const name of names) this.names.set(name, image)
  }

  async call(args: readonly string[], options: CallOptions): Promise<ExecResult> {
    const [first, second, ...rest] = args
    const last = args.at(-1) ?? ''
    if (first === 'image' && second === 'inspect') return this.#inspect(last)
    if (first === 'image' && second === 'ls') return ok([...this.labels.keys()].join('\n'))
    if (first === 'image' && second === 'rm') return this.#remove(last)
    if (first === 'tag') return this.#tag(this.#find(second ?? ''), rest)
    if (first === 'pull') return this.#tag(this.next, [last])
    if (first === 'load') return this.#tag(this.next, [...(options.sets ?? [])])
    if (!args.includes('build')) throw new Error(`docker ${args.join(' ')} is not expected`)
    options.onOutput?.(Buffer.from(this.output), 'stdout')
    this.during()
    if (this.next === undefined) throw new CancelledError()
    this.add(this.next, this.labels.get(this.next) ?? LABELS)
    return this.#tag(
      this.next,
      args.filter((_, index) => args[index - 1] === '--tag')
    )
  }

  #find(name: string): string | undefined {
    return (
      this.names.get(name) ?? [...this.labels.keys()].find((one) => one === name || one.startsWith(`sha256:${name}`))
    )
  }

  #inspect(name: string): ExecResult {
    const image = this.#find(name)
    if (image === undefined) return failed(`No such image: ${name}`)
    const RepoTags = [...this.names].flatMap(([tag, one]) => (one === image ? [tag] : []))
    return ok(JSON.stringify([{ Id: image, RepoTags, Config: { Labels: this.labels.get(image) } }]))
  }

  #tag(image: string | undefined, names: string[]): ExecResult {
    if (image === undefined) return failed('No such image')
    for (const name of names) this.names.set(name, image)
    return ok('')
  }

  #remove(name: string): ExecResult {
    const image = this.#find(name)
    if (image === undefined) return failed(`No such image: ${name}`)
    const others = [...this.names].filter(([tag, one]) => one === image && tag !== name)
    if (others.length === 0 && this.isUsed) return failed('conflict: container abc is using its referenced image')
    this.names.delete(name)
    if (others.length === 0) this.labels.delete(image)
    return ok('')
  }
}

function ok(stdout: string): ExecResult {
  return { exitCode: 0, stdout, stderr: '' }
}

function failed(stderr: string): ExecResult {
  return { exitCode: 1, stdout: '', stderr }
}

const BUILD = ['buildx', 'build', '--tag', 'octo/app:1', '--tag', 'octo/app:latest', '.']

/** Lets a run work with an engine, and returns what it would hand over to the post step. */
async function record(engine: Engine, work: (docker: Docker) => Promise<unknown>): Promise<AddedImages> {
  let saved = JSON.stringify({ names: [], unnamed: [] })
  const recorder = new ImageRecorder(
    engine,
    (name) => name.startsWith('octo/app'),
    (added) => {
      saved = JSON.stringify(added)
    }
  )
  await work(recorder).catch((error: unknown) => {
    if (!(error instanceof CancelledError)) throw error
  })
  return JSON.parse(saved) as AddedImages
}

describe('What a run added to the engine', () => {
  it('is removed, and what was there before is there again', async () => {
    const engine = new Engine()
    engine.add(id('a'), LABELS, 'octo/app:latest')
    engine.add(id('b'), {}, 'base:1')
    const added = await record(engine, async (docker) => {
      engine.next = id('1')
      await docker.call(BUILD, { bound: 'build' })
      // built once more
      engine.next = id('2')
      await docker.call(BUILD, { bound: 'build' })
      await docker.call(['tag', 'octo/app:1', 'octo/app:cache-1'], { bound: 'image' })
      await docker.call(['image', 'rm', 'octo/app:cache-1'], { bound: 'image' })
      engine.next = id('b')
      await docker.call(['pull', 'base:1'], { bound: 'image' })
    })
    expect(await removeAddedImages(engine, added)).toEqual({ removed: ['octo/app:1', 'octo/app:latest'], left: [] })
    expect([...engine.names]).toEqual([
      ['octo/app:latest', id('a')],
      ['base:1', id('b')]
    ])
    expect([...engine.labels.keys()]).toEqual([id('a'), id('b')])
    // twice
    expect(await removeAddedImages(engine, added)).toEqual({ removed: [], left: [] })
  })

  it.each<[string, (engine: Engine) => void, string[]]>([
    ['another run has taken the name of', (engine) => engine.add(id('c'), LABELS, 'octo/app:latest'), ['octo/app:1']],
    ['has not the label of the action:', (engine) => engine.add(id('1'), { other: '' }), []],
    ['a container uses', (engine) => Object.assign(engine, { isUsed: true }), ['octo/app:1']]
  ])('stays if it is an image that %s', async (_, change, removed) => {
    const engine = new Engine()
    engine.next = id('1')
    const added = await record(engine, (docker) => docker.call(BUILD, { bound: 'build' }))
    change(engine)
    expect((await removeAddedImages(engine, added)).removed).toEqual(removed)
    expect(engine.names.has('octo/app:latest')).toBe(true)
  })

  it('includes the images of an archive, which keeps the names of others', async () => {
    const engine = new Engine()
    engine.add(id('a'), LABELS, 'octo/app:latest')
    engine.next = id('1')
    engine.add(id('1'), LABELS)
    const sets = ['octo/app:builder-1', 'octo/app:latest']
    const added = await record(engine, (docker) =>
      docker.call(['load', '--input', 'a.tar'], { bound: 'transfer', sets })
    )
    expect((await removeAddedImages(engine, added)).removed).toEqual(sets)
    expect([...engine.names]).toEqual([['octo/app:latest', id('a')]])
  })

  it('is known if the run is cancelled when the engine has just finished', async () => {
    const engine = new Engine()
    engine.during = () => engine.add(id('1'), LABELS, 'octo/app:1', 'octo/app:latest')
    const added = await record(engine, (docker) => docker.call(BUILD, { bound: 'build' }))
    expect((await removeAddedImages(engine, added)).removed).toEqual(['octo/app:1', 'octo/app:latest'])
    expect(engine.labels.size).toBe(0)
  })

  it('includes the last step of a failed build of the legacy builder, unless it was there before', async () => {
    const engine = new Engine()
    for (const digit of ['0', '4']) engine.add(id(digit), {})
    engine.add(id('a'), {}, 'base:1')
    const line = (digit: string): string => ` ---> ${digit.repeat(12)}\n`
    const build = (docker: Docker): Promise<unknown> =>
      docker.call(['build', '.'], { bound: 'build', env: { DOCKER_BUILDKIT: '0' } })
    engine.output = `Step 1/3 : FROM base:1\n${line('a')}Step 2/3 : RUN old\n ---> Using cache\n${line('0')}Step 3/3 : RUN a\n`
    expect((await record(engine, build)).unnamed).toEqual([])
    // a step may print what it likes
    engine.output = `Step 1/2 : FROM base:1\n${line('a')}Step 2/2 : RUN a\n ---> Running in b\n${line('4')}`
    expect((await record(engine, build)).unnamed).toEqual([])
    engine.output = `Step 1/3 : FROM base:1\n${line('a')}Step 2/3 : RUN a\n ---> Running in b\n${line('5')}Step 3/3 : RUN b\n`
    engine.during = () => engine.add(id('5'), {})
    const added = await record(engine, build)
    expect(added.unnamed).toEqual([id('5')])
    await removeAddedImages(engine, added)
    expect([...engine.labels.keys()]).toEqual([id('0'), id('4'), id('a')])
  })
})
