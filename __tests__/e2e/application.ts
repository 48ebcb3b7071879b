import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** Files of a commit: path → content. */
export type Files = Record<string, string>

/**
 * The two-stage Dockerfile of the blog post, in small. Every RUN whose input is unchanged leaves a stamp that no second
 * execution would leave again, so an image tells by itself whether the RUN was executed.
 *
 * @param base reference of the base image
 */
export function application(base: string): Files {
  return {
    Dockerfile: [
      `FROM ${base} AS builder`,
      'WORKDIR /app',
      'COPY package.json ./',
      'RUN head -c 16 /dev/urandom | md5sum > /builder-stamp',
      'COPY src ./src',
      'RUN cat src/* > app.txt',
      '',
      `FROM ${base}`,
      'WORKDIR /app',
      'COPY package.json ./',
      'RUN head -c 16 /dev/urandom | md5sum > /production-stamp',
      'COPY --from=builder /app/app.txt ./',
      'CMD ["sh", "-c", "cat /app/app.txt /production-stamp"]',
      ''
    ].join('\n'),
    'package.json': '{ "name": "app" }\n',
    'src/main.txt': 'version 0\n'
  }
}

/** A real git repository whose commits runners check out. */
export class SourceRepository {
  readonly #folder = mkdtempSync(join(tmpdir(), 'shared-docker-layers-source-'))
  #checkouts = 0

  constructor(files: Files) {
    this.#git('init', '--quiet', '--initial-branch', 'master', 'origin')
    this.commit(files)
  }

  /** Commits changed files on the branch that is checked out; returns the commit's id. */
  commit(files: Files): string {
    for (const [name, text] of Object.entries(files)) {
      const path = join(this.#folder, 'origin', name)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text)
    }
    this.#inOrigin('add', '--all')
    this.#inOrigin('commit', '--quiet', '--allow-empty', '--message', 'change')
    return this.head()
  }

  head(): string {
    return this.#inOrigin('rev-parse', 'HEAD')
  }

  branch(name: string): void {
    this.#inOrigin('checkout', '--quiet', '-b', name)
  }

  /** When a commit was made, as the image's label says it. */
  time(sha: string): string {
    const seconds = Number(this.#inOrigin('show', '--no-patch', '--format=%ct', sha))
    return new Date(seconds * 1_000).toISOString().replace('.000Z', 'Z')
  }

  /** A fresh clone with `sha` checked out, as actions/checkout leaves it; returns its folder. */
  checkout(sha: string): string {
    const name = `checkout-${++this.#checkouts}`
    this.#git('clone', '--quiet', '--no-checkout', 'origin', name)
    const folder = join(this.#folder, name)
    this.#git('-C', folder, 'checkout', '--quiet', '--detach', sha)
    return folder
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #inOrigin(...args: string[]): string {
    return this.#git('-C', 'origin', ...args)
  }

  #git(...args: string[]): string {
    const identity = [
      '-c',
      'user.name=octocat',
      '-c',
      'user.email=octocat@example.com',
      '-c',
      'advice.detachedHead=false'
    ]
    return execFileSync('git', [...identity, ...args], { cwd: this.#folder, encoding: 'utf8' }).trim()
  }
}
