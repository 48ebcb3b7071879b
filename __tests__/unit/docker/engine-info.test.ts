import { describe, expect, it } from '@jest/globals'
import { readEngineInfo } from '../../../src/docker/engine-info.ts'
import { scriptedDocker } from '../../support/scripted-docker.ts'

const docker = scriptedDocker()

describe('readEngineInfo', () => {
  const info = (more: object): string =>
    JSON.stringify({ ServerVersion: '28.5.1', OSType: 'linux', Driver: 'overlay2', ...more })

  it.each<[string, object, object]>([
    [
      'a graph driver, a buildx and a context',
      { ClientInfo: { Context: 'mine', Plugins: [{ Name: 'buildx', Version: 'v0.29.1' }] } },
      { version: '28.5.1', store: 'overlay2', buildx: 'v0.29.1', context: 'mine', insecure: { hosts: [], ranges: [] } }
    ],
    [
      'the containerd store',
      { Driver: 'overlayfs', DriverStatus: [['driver-type', 'io.containerd.snapshotter.v1']] },
      { store: 'containerd', buildx: undefined, context: 'default' }
    ],
    [
      'registries that it may ask without TLS',
      {
        RegistryConfig: {
          InsecureRegistryCIDRs: ['::1/128', '127.0.0.0/8'],
          IndexConfigs: {
            'docker.io': { Name: 'docker.io', Secure: true },
            'registry.local:5000': { Name: 'registry.local:5000', Secure: false },
            'odd.local': {}
          }
        }
      },
      { insecure: { hosts: ['registry.local:5000'], ranges: ['::1/128', '127.0.0.0/8'] } }
    ],
    [
      'no registries',
      { RegistryConfig: { InsecureRegistryCIDRs: null, IndexConfigs: null } },
      { insecure: { hosts: [], ranges: [] } }
    ]
  ])('reads %s', async (_, more, expected) => {
    const engine = await readEngineInfo(docker(`cat <<'EOF'\n${info(more)}\nEOF`))
    expect(engine).toMatchObject(expected)
  })
})
