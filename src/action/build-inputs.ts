import { UserError } from '../lib/errors.ts'
import { quote } from '../lib/text.ts'
import { isReference, sameReference } from '../registry/image-reference.ts'
import { type Get, lineBeginning, optional, pair, records, words } from './input-values.ts'

/** A named build context: it takes the place of an image of that name in the Dockerfile. */
export interface BuildContext {
  name: string
  /** What docker gets: a folder, or a URL such as docker-image://alpine. */
  value: string
  kind: 'folder' | 'image' | 'other'
}

const IMAGE = 'docker-image://'

/** What docker does not take for a folder (docker/buildx build/opt.go, toSolveOpt). */
const REMOTE = /^(?:[a-z][a-z0-9+.-]*:\/\/|git@|github\.com\/)/i

/** @throws UserError */
export function readBuildContexts(get: Get): BuildContext[] {
  const contexts = words(get, 'build-contexts', () => false).map(buildContext)
  const twice = contexts.find(({ name }, index) =>
    contexts.slice(0, index).some((other) => sameReference(other.name, name))
  )
  if (twice === undefined) return contexts
  throw new UserError(
    `Input build-contexts has two contexts with the name ${quote(twice.name)}; give one of them another name`
  )
}

function buildContext(item: string): BuildContext {
  const [, name = '', value = ''] = /^([^=]*)=(.+)$/s.exec(item) ?? []
  if (value === '' || !isReference(name) || name.includes('@')) {
    throw new UserError(
      `Input build-contexts has ${lineBeginning(item)}; each line must be name=folder or name=docker-image://IMAGE, with a name in lower case`
    )
  }
  if (/^(?:target|input):/.test(value)) {
    throw new UserError(
      `Input build-contexts has ${lineBeginning(item)} with the result of another build, which only docker buildx bake knows; give a folder or docker-image://IMAGE`
    )
  }
  if (value.startsWith(IMAGE) && !isReference(value.slice(IMAGE.length))) {
    throw new UserError(
      `Input build-contexts has ${lineBeginning(item)} with an image whose name is not valid; give name=docker-image://IMAGE, for example base=docker-image://alpine:3.22`
    )
  }
  const kind = value.startsWith(IMAGE) ? 'image' : REMOTE.test(value) ? 'other' : 'folder'
  return { name, value, kind }
}

/** Returns the reference of the image of a build context. */
export function imageOfContext({ value }: BuildContext): string {
  return value.slice(IMAGE.length)
}

/** Returns the build context that takes the place of a name in the Dockerfile, if there is one. */
export function findBuildContext(contexts: readonly BuildContext[], name: string): BuildContext | undefined {
  return isReference(name) ? contexts.find((context) => sameReference(context.name, name)) : undefined
}

/** Returns the items of the input `ssh`: `default`, or `id=path` with commas between several paths. */
export function readSsh(get: Get): string[] {
  return words(get, 'ssh', (line) => {
    const others = line.split(',').slice(1)
    return others.some((piece) => /^\s*(default$|[\w.-]+=)/.test(piece)) || /^[^=]*,/.test(line)
  })
}

/** @throws UserError */
export function readAddHosts(get: Get): string[] {
  return words(get, 'add-hosts').map((item) => {
    if (/^[^\s:=-][^\s:=]*[:=]\S+$/.test(item)) return item
    throw new UserError(`Input add-hosts has the line ${quote(item)}; each line must be host:ip`)
  })
}

/** @throws UserError */
export function readUlimits(get: Get): string[] {
  return words(get, 'ulimit').map((item) => {
    // docker/go-units ulimit.go, ParseUlimit
    if (/^[a-z]+=(?:-1|\d+)(?::(?:-1|\d+))?$/.test(item)) return item
    throw new UserError(
      `Input ulimit has the line ${quote(item)}; each line must be type=soft limit or type=soft limit:hard limit, for example nofile=1024:4096`
    )
  })
}

/** @throws UserError */
export function readAnnotations(get: Get): string[] {
  return records(get, 'annotations').map((item) => {
    pair('annotations', 'key=value', item)
    const [key = ''] = item.split('=')
    const [, type = 'manifest'] = /^([a-z0-9,[\]/-]+):/.exec(key) ?? []
    if (type === 'manifest') return item
    throw new UserError(
      `Input annotations has ${lineBeginning(item)}; the action sets only annotations of the manifest: give key=value or manifest:key=value`
    )
  })
}

/**
 * Reads the settings of an attestation: `true`, `false`, or its attributes, with commas between.
 *
 * @param form of the attributes
 * @returns undefined for `false`
 * @throws UserError
 */
export function readAttestation(get: Get, name: string, form: string): string | undefined {
  const value = optional(get, name) ?? 'false'
  if (/^(?:true|false)$/i.test(value)) return value.toLowerCase() === 'true' ? 'true' : undefined
  if (/^[a-z][a-z0-9-]*=[^\s,"=]+(?:,[a-z][a-z0-9-]*=[^\s,"]+)*$/.test(value)) return value
  throw new UserError(`Input ${name} is ${quote(value)}; it must be true, false or ${form}`)
}
