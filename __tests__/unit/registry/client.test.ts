import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { RegistryConnection, RepositoryClient } from '../../../src/registry/client.ts'
import { RegistryError } from '../../../src/registry/failure.ts'
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
