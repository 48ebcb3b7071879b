import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** xorshift32: the same numbers in every run. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed || 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

interface RandomFile {
  text: string
  mode: number
  target?: string
}

const PATHS = ['a.txt', 'b.txt', 'c.md', 'src/d.txt', 'src/e.md', 'src/deep/f.txt', 'src/deep/g', 'lib/h.txt', 'lib/i']
const FOLDERS = ['src', 'src/deep', 'src/none', 'lib']
const IGNORED = [
  '*.md',
  '**/*.md',
  'lib',
  'src/deep',
  '!src/deep/g',
  '**/none',
  'src/*',
  '!src/d.txt',
  '*',
  '!src',
  '!*.txt',
  '# x',
  '[a]*'
]

const MOST_LINES = 5

/** A random build: a context and a Dockerfile, and random edits of them. Not every one of them can be built. */
export class RandomBuild {
  readonly #random: (below: number) => number
  readonly #name: string
  readonly #base: string
  #files = new Map<string, RandomFile>()
  #folders = new Map(FOLDERS.map((path) => [path, 0o755]))
  #ignored: string[] = []
  /** The lines of each stage after FROM. */
  #stages: string[][] = [[], [], []]
  #froms = ['base', 'base', 'base']
  #global = 1
  buildArgs = new Map<string, string>()
  hosts: string[] = []

  /** @param name makes the steps different from those of other builds on the engine */
  constructor(seed: number, name: string, base: string) {
    this.#random = randomFrom(seed)
    this.#name = name
    this.#base = base
    for (const path of PATHS) this.#files.set(path, { text: path, mode: 0o644 })
    this.#files.set('link', { text: '', mode: 0, target: 'src' })
    this.#files.set('src/out', { text: '', mode: 0, target: '../a.txt' })
    for (const lines of this.#stages) {
      for (let count = 2 + this.#random(2); count > 0; count--) lines.push(this.#instruction())
    }
  }

  #pick<T>(...items: T[]): T {
    return items[this.#random(items.length)] as T
  }

  #run(): string {
    const version = this.#random(4)
    // what it leaves differs with every execution, so that copies of it do not match by content
    const command = `: ${version}; cat /proc/sys/kernel/random/uuid > /stamp`
    return this.#pick(
      `RUN ${command}`,
      `RUN ${command}`,
      `RUN ["sh", "-c", "${command}"]`,
      `RUN <<E\n${command}\nE`,
      `RUN : \\\n  # comment\n  ${version} && cat /proc/sys/kernel/random/uuid > /stamp`,
      `RUN --mount=type=bind,source=src,target=/mnt ${command}`,
      `RUN --mount=target=/mnt ${command}`,
      `RUN --mount=type=cache,target=/cache,id=${this.#pick('/cache', 'x', 'y')} ${command}`,
      `RUN --network=${this.#pick('none', 'default')} ${command}`
    )
  }

  #copy(): string {
    const to = this.#pick('./', '/to/', './$E/', '.', '/to/$A/')
    const keyword = this.#pick('COPY', 'COPY', 'COPY', 'ADD')
    const flags = this.#pick('', '', '', '--chmod=700 ', '--chown=1:1 ', '--chown=$A ', '--exclude=*.md ', '--link ')
    const what = this.#pick(
      'a.txt',
      'a.txt b.txt',
      './a.txt',
      '"a.txt"',
      'src',
      'src/',
      'src/*',
      's*',
      '*.txt',
      'src/deep/*.txt lib',
      'link',
      'link/d.txt',
      'src/out',
      'src/[df]*',
      '.',
      'src/$D.txt'
    )
    if (this.#random(8) === 0) return `COPY <<X ${to}\n${this.#pick('text', '$A', '$E')}\nX`
    if (this.#random(10) === 0) return `COPY ["src/d.txt", "lib/h.txt",   "/json/"]`
    return `${keyword} ${flags}${what} ${to}`
  }

  #instruction(): string {
    const value = this.#random(3)
    return this.#pick(
      () => this.#run(),
      () => this.#run(),
      () => this.#copy(),
      () => this.#copy(),
      () => this.#copy(),
      () => this.#copy(),
      () => `ENV E=${value}`,
      () => `ENV ${this.#pick('F', 'G')}="${value} $A"`,
      () => `ARG A=${value}`,
      () => 'ARG B',
      () => 'ARG TARGETARCH',
      () => `ARG D=${this.#pick('d', 'e')}`,
      () => `LABEL l=${value}`,
      () => `CMD ["${value}"]`,
      () => `USER ${this.#pick('0', 'root')}`,
      () => `WORKDIR ${this.#pick('/w', 'v', '/', '/w/$E')}`,
      () => `SHELL ["/bin/sh", "${this.#pick('-c', '-ec')}"]`,
      () => `# comment ${value}`
    )()
  }

  /** Returns a function that undoes later edits. */
  save(): () => void {
    const saved = structuredClone([this.#files, this.#folders, this.#ignored, this.#stages, this.#froms] as const)
    const [global, buildArgs, hosts] = [this.#global, new Map(this.buildArgs), this.hosts]
    return () => {
      ;[this.#files, this.#folders, this.#ignored, this.#stages, this.#froms] = structuredClone(saved) as typeof saved
      ;[this.#global, this.buildArgs, this.hosts] = [global, new Map(buildArgs), hosts]
    }
  }

  /** Changes one thing; returns what. */
  edit(): string {
    const path = this.#pick(...this.#files.keys())
    const file = this.#files.get(path)
    const lines = this.#pick(...this.#stages)
    const at = this.#random(lines.length + 1)
    return this.#pick(
      () => {
        if (file) file.text = `text ${this.#random(3)}`
        return `text of ${path}`
      },
      () => {
        if (file) file.mode = this.#pick(0o644, 0o755, 0o600, 0o4755)
        return `mode of ${path}`
      },
      () => {
        const folder = this.#pick(...FOLDERS)
        this.#folders.set(folder, this.#pick(0o755, 0o700, 0o1777))
        return `mode of ${folder}`
      },
      () => {
        const link = this.#pick('link', 'src/out', 'lib/l')
        this.#files.set(link, { text: '', mode: 0, target: this.#pick('src', 'lib', '/src', '../a.txt', 'a.txt') })
        return `target of ${link}`
      },
      () => {
        const added = this.#pick(...PATHS, 'src/new.txt', 'lib/new', 'new.txt')
        if (this.#files.delete(added)) return `no ${added}`
        this.#files.set(added, { text: added, mode: 0o644 })
        return `new ${added}`
      },
      () => {
        const ignored = this.#pick(...IGNORED)
        const index = this.#ignored.indexOf(ignored)
        if (index === -1) this.#ignored.push(ignored)
        else this.#ignored.splice(index, 1)
        return `.dockerignore ${ignored}`
      },
      () => {
        if (this.#ignored.length > 2) this.#ignored = []
        return '.dockerignore empty'
      },
      () => {
        if (lines.length < MOST_LINES) lines.splice(at, 0, this.#instruction())
        return `new ${lines[at]}`
      },
      () => {
        if (lines.length > 2) lines.splice(at, 1)
        return 'a line less'
      },
      () => {
        lines[Math.max(0, at - 1)] = this.#instruction()
        return `other ${lines[Math.max(0, at - 1)]}`
      },
      () => {
        const index = Math.max(0, at - 1)
        lines[index] = lines[index]?.replace(/^(RUN|COPY|ADD|ENV|ARG)\b/, (word) => word.toLowerCase()) ?? ''
        return `case of ${lines[index]}`
      },
      () => {
        const name = this.#pick('A', 'B', 'G', 'TARGETARCH', 'HTTP_PROXY')
        if (!this.buildArgs.delete(name)) this.buildArgs.set(name, String(this.#random(3)))
        return `--build-arg ${name}`
      },
      () => {
        this.#global = this.#random(3)
        return 'global ARG'
      },
      () => {
        this.#froms[1] = this.#pick('base', 'one', 'scratch')
        return `second stage on ${this.#froms[1]}`
      },
      () => {
        this.hosts = this.#pick([], ['x:10.0.0.1'], ['x:10.0.0.2'], ['x:10.0.0.1', 'y:10.0.0.1'])
        return `hosts ${this.hosts}`
      },
      () => 'only times'
    )()
  }

  dockerfile(): string {
    const [one = [], two = [], three = []] = this.#stages
    const isScratch = this.#froms[1] === 'scratch'
    const from = (name: string | undefined): string => (name === 'base' ? this.#base : (name ?? ''))
    return [
      `ARG B=${this.#global}`,
      `FROM ${this.#base} AS one`,
      `WORKDIR /${this.#name}`,
      ...one,
      `FROM ${from(this.#froms[1])} AS two`,
      `WORKDIR /${this.#name}/two`,
      ...(isScratch ? two.filter((line) => !/^run/i.test(line)) : two),
      `FROM ${this.#base}`,
      `WORKDIR /${this.#name}/three`,
      'ARG A',
      ...three,
      'COPY --from=one / /one/',
      'RUN --mount=from=two,target=/two cat /proc/sys/kernel/random/uuid > /stamp',
      ''
    ].join('\n')
  }

  get dockerignore(): string {
    return `.dockerignore\n${this.#ignored.join('\n')}\n`
  }

  /** Writes the context; all times are new. */
  write(folder: string): void {
    rmSync(folder, { recursive: true, force: true })
    for (const path of ['', ...FOLDERS]) mkdirSync(join(folder, path), { recursive: true })
    for (const [path, { text, mode, target }] of this.#files) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      if (target !== undefined) {
        symlinkSync(target, join(folder, path))
        continue
      }
      writeFileSync(join(folder, path), text)
      chmodSync(join(folder, path), mode)
    }
    for (const [path, mode] of this.#folders) chmodSync(join(folder, path), mode)
    writeFileSync(join(folder, '.dockerignore'), this.dockerignore)
  }
}
