import { describe, expect, it } from '@jest/globals'
import {
  findBuildContext,
  imageOfContext,
  readAnnotations,
  readAttestation,
  readBuildContexts,
  readUlimits
} from '../../../src/action/build-inputs.ts'
import { UserError } from '../../../src/lib/errors.ts'

describe('readBuildContexts', () => {
  it.each([
    ['a=.', { name: 'a', value: '.', kind: 'folder' }],
    ['assets=../a, b=c', { name: 'assets', value: '../a, b=c', kind: 'folder' }],
    ['alpine:3.22=docker-image://busybox', { name: 'alpine:3.22', value: 'docker-image://busybox', kind: 'image' }],
    ['a=https://example.com/b.git#main', { name: 'a', value: 'https://example.com/b.git#main', kind: 'other' }],
    ['a=git@example.com:b.git', { name: 'a', value: 'git@example.com:b.git', kind: 'other' }],
    ['a=oci-layout:///b@sha256:1', { name: 'a', value: 'oci-layout:///b@sha256:1', kind: 'other' }]
  ])('reads %s', (text, context) => {
    expect(readBuildContexts(() => text)).toEqual([context])
  })

  it.each([
    ['a', 'Input build-contexts has the line "a"; each line must be name=folder or name=docker-image://IMAGE'],
    ['A=b', 'Input build-contexts has a line that begins with "A="; each line must be name=folder'],
    ['a=', 'Input build-contexts has the line "a="; each line must be'],
    ['a=target:b', 'Input build-contexts has a line that begins with "a=" with the result of another build'],
    [
      'a=docker-image://B C',
      'Input build-contexts has a line that begins with "a=" with an image whose name is not valid'
    ],
    [
      'a=b\ndocker.io/library/a:latest=c',
      'Input build-contexts has two contexts with the name "docker.io/library/a:latest"'
    ]
  ])('refuses %j', (text, message) => {
    expect(() => readBuildContexts(() => text)).toThrow(UserError)
    expect(() => readBuildContexts(() => text)).toThrow(message)
  })
})

describe('findBuildContext', () => {
  const contexts = readBuildContexts(() => 'alpine=docker-image://busybox:1.37\nsrc=.')

  it.each([
    ['alpine', 'alpine'],
    ['docker.io/library/alpine:latest', 'alpine'],
    ['alpine:3.22', undefined],
    ['src', 'src'],
    ['SRC $X', undefined]
  ])('finds that of %s', (name, expected) => {
    expect(findBuildContext(contexts, name)?.name).toBe(expected)
  })

  it('knows the image of a context', () => {
    expect(contexts.slice(0, 1).map(imageOfContext)).toEqual(['busybox:1.37'])
  })
})

describe('readUlimits', () => {
  it('reads limits as docker does', () => {
    expect(readUlimits(() => 'nofile=1024\nnproc=-1:2')).toEqual(['nofile=1024', 'nproc=-1:2'])
  })

  it.each(['nofile', 'nofile=', 'nofile=a', 'nofile=1:2:3', '--ulimit nofile=1', 'nofile = 1'])(
    'refuses %s',
    (text) => {
      expect(() => readUlimits(() => text)).toThrow('each line must be type=soft limit or type=soft limit:hard limit')
    }
  )
})

describe('readAnnotations', () => {
  it('reads annotations of the manifest', () => {
    const texts = ['a=b, c', 'manifest:d=e:f', 'g=']
    expect(readAnnotations(() => texts.join('\n'))).toEqual(texts)
  })

  it.each(['index:a=b', 'manifest,index:a=b', 'manifest[linux/amd64]:a=b', 'manifest-descriptor:a=b'])(
    'refuses %s',
    (text) => {
      expect(() => readAnnotations(() => text)).toThrow(
        'the action sets only annotations of the manifest: give key=value or manifest:key=value'
      )
    }
  )
})

describe('readAttestation', () => {
  it.each([
    ['', undefined],
    ['false', undefined],
    ['True', 'true'],
    ['mode=max', 'mode=max'],
    ['mode=min,builder-id=https://example.com/a=b', 'mode=min,builder-id=https://example.com/a=b']
  ])('reads %j', (text, expected) => {
    expect(readAttestation(() => text, 'provenance', 'mode=max')).toBe(expected)
  })

  it.each(['max', 'yes', 'mode=max mode=min', 'mode=', '"mode=max"', '-x'])('refuses %s', (text) => {
    expect(() => readAttestation(() => text, 'sbom', 'generator=IMAGE')).toThrow(
      `Input sbom is ${JSON.stringify(text)}; it must be true, false or generator=IMAGE`
    )
  })
})
