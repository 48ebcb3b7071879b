import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { RegistryConnection, RepositoryClient } from '../../../src/registry/client.ts'
import { answer, type FailureKind, RegistryError } from '../../../src/registry/failure.ts'
import { StandInRegistry } from '../../../testbed/stand-in-registry.ts'

let registry: StandInRegistry
let connection: RegistryConnection

beforeEach(async () => {
  registry = await StandInRegistry.start()
  // a home without a login
  connection = new RegistryConnection(registry.host, { HOME: '/nowhere' }, { hosts: [], ranges: [] })
})
afterEach(async () => {
  await connection.end()
  await registry.stop()
})

describe('putManifest', () => {
  async function put(message: string, status: number, repository = 'octo/app'): Promise<FailureKind | undefined> {
    registry.addImage(repository, 'latest', { config: {} })
    const { digest } = registry.addImage(repository, 'other', { config: { a: 1 } })
    registry.behaviour = { immutable: { except: [], status, code: 'DENIED', message } }
    const client = new RepositoryClient(connection, repository, new AbortController().signal)
    const manifest = await client.manifest(digest)
    // what the tag already names is no change
    await client.putManifest('other', manifest)
    return (await answer(client.putManifest('latest', manifest))).failure?.kind
  }

  it.each([400, 403, 409, 412])('tells a tag that must not change: status %i', async (status) => {
    expect(await put('tag latest is immutable', status)).toBe('immutable')
  })

  it('does not take the name of the repository for the reason', async () => {
    expect(await put('no right to push to octo/immutable', 403, 'octo/immutable')).toBe('refused')
    expect(await put('tag latest is immutable', 503)).toBe('unreachable')
  })
})

describe('deleteManifest', () => {
  it('removes an image with all its tags', async () => {
    const { digest } = registry.addImage('octo/app', 'latest', { config: {}, layers: [Buffer.from('a layer')] })
    expect(registry.tags('octo/app')).toEqual(['latest'])
    const repository = new RepositoryClient(connection, 'octo/app', new AbortController().signal)
    await repository.deleteManifest(digest)
    expect(registry.tags('octo/app')).toEqual([])
    await expect(repository.deleteManifest(digest)).rejects.toThrow(RegistryError)
  })
})
