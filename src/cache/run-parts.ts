/**
 * What identifies RUN for a builder.
 *
 * `bk:` cites docker's behaviour in github.com/moby/buildkit at 73ed682.
 */
import { posix } from 'node:path'
import { jsonStrings, type RawInstruction } from '../dockerfile/raw-instruction.ts'
import { flagsOf } from './copy-parts.ts'
import type { StageScope } from './stage-scope.ts'
import { type Outside, StepCollector, type StepParts } from './step-parts.ts'

/** bk: dispatchRun, and solver/llbsolver/ops/exec.go, CacheMap: not the IPs of added hosts, and not the proxy, but ulimits. */
export function runParts(raw: RawInstruction, scope: StageScope, outside: Outside): StepParts {
  const step = new StepCollector(scope, raw)
  const { buildArgs, runOptions } = outside
  const flags = flagsOf(raw.flags)
  const command = jsonStrings(raw.rest)
  step.add(command ?? [raw.rest, raw.heredocs])
  step.option('shell', command === undefined ? (scope.shell ?? null) : null)
  step.option('user', scope.user ?? null)
  step.option('workdir', scope.workdir ?? null)
  step.option('network', flags.get('network')?.at(-1) ?? runOptions.network ?? 'default')
  step.option(
    'hosts',
    runOptions.addHosts.map((host) => host.replace(/[:=].*$/s, ''))
  )
  step.option('shm-size', runOptions.shmSize ?? null)
  if (runOptions.ulimit) step.option('ulimit', runOptions.ulimit)
  step.option('hostname', buildArgs.get('BUILDKIT_SANDBOX_HOSTNAME') ?? null)
  step.add(['security', 'device'].map((name) => flags.get(name) ?? null))
  for (const [name, { value }] of scope.variables) step.add(name, value)
  step.note(scope.variables.keys())
  const mounts = (flags.get('mount') ?? []).map((mount) => readMount(mount, step, scope))
  for (const mount of mounts.sort((a, b) => ((a.target ?? '') < (b.target ?? '') ? -1 : 1))) {
    addMount(mount, step, outside)
  }
  return step.end()
}

interface Mount {
  type: string
  /** From the root. */
  target: string | undefined
  options: Map<string, string | undefined>
}

const ALIASES: Record<string, string> = { src: 'source', dst: 'target', destination: 'target', ro: 'readonly' }

/** bk: instructions/commands_runmount.go, parseMount. */
function readMount(text: string, step: StepCollector, scope: StageScope): Mount {
  const options = new Map<string, string | undefined>()
  for (const field of text.split(',')) {
    const at = field.indexOf('=')
    const name = (at === -1 ? field : field.slice(0, at)).toLowerCase()
    const value = at === -1 ? 'true' : field.slice(at + 1)
    const expanded = name === 'from' ? value : step.expand(value)
    if (name === 'rw' || name === 'readwrite') options.set('readonly', /^(1|t|true)$/i.test(value) ? 'false' : 'true')
    else options.set(ALIASES[name] ?? name, expanded)
  }
  const target = scope.absolute(options.get('target') ?? '')
  return { type: (options.get('type') ?? 'bind').toLowerCase(), target, options }
}

function addMount({ type, target, options }: Mount, step: StepCollector, outside: Outside): void {
  const from = options.get('from') ?? ''
  const source = options.get('source') ?? ''
  const rest = new Map([...options].filter(([name]) => !['type', 'from', 'source', 'target'].includes(name)))
  const isFalse = /^(0|f|false)$/i.test(rest.get('readonly') ?? '')
  rest.delete('readonly')
  step.add(type, target, isFalse)
  if (target === undefined && type !== 'secret' && type !== 'ssh') step.unknown()
  if (type === 'cache') {
    const id = rest.get('id') ?? posix.normalize(options.get('target') ?? '')
    const isShared = ['', 'shared'].includes((rest.get('sharing') ?? '').toLowerCase())
    // any other id or kind of sharing does not count (bk: checkShouldClearCacheOpts)
    step.add(id === target && isShared ? (outside.buildArgs.get('BUILDKIT_CACHE_MOUNT_NS') ?? '') : null)
    rest.delete('id')
    rest.delete('sharing')
  }
  step.add([...rest].sort(([a], [b]) => (a < b ? -1 : 1)))
  const origin = from === '' ? undefined : outside.from(from)
  if (origin) step.from(from, origin)
  if (origin && origin.kind !== 'folder') {
    step.add(posix.join('/', source))
  } else if (origin || type === 'bind') {
    const context = origin ? { context: from } : {}
    const files = { source: source === '' ? '/' : source, wildcards: false, excludes: [], parents: false }
    const selection = { ...context, ...files }
    step.files(selection, outside.take(selection))
  } else {
    step.add(source)
  }
}
