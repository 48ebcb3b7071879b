import { UserError } from '../lib/errors.ts'
import { lineBeginning } from './input-values.ts'
import { runOption } from './run-options.ts'

/** A test: a command for `sh -c`, and the options of its own for docker run. */
export interface Test {
  command: string
  /** Arguments of docker run. */
  options: string[]
}

/**
 * Reads tests. A line starts a test. An indented line belongs to the test above it: it is an option of docker run if it begins
 * with a dash, and otherwise the next line of the command. A line after one that ends with a backslash, && or | is always part of the
 * command. A line that begins with # is a comment.
 *
 * @param name of the input
 * @throws UserError
 */
export function readTests(name: string, value: string): Test[] {
  const tests: Test[] = []
  // YAML removes the indentation of a block only if its first line has the least
  const outer = /^[ \t]*(?=\S)/m.exec(value)?.[0].length ?? 0
  let isContinued = false
  for (const raw of value.split(/\r?\n/)) {
    const line = raw.trim()
    if (line === '') continue
    const isIndented = raw.length - raw.trimStart().length > outer
    // an indented comment is one of the command
    if (line.startsWith('#') && !isIndented && !isContinued) continue
    const test = tests.at(-1)
    if (test && isContinued) test.command += `\n${line}`
    else if (test && isIndented && line.startsWith('-')) test.options.push(...runOption(name, line))
    else if (test && isIndented) addLine(name, test, line)
    else if (line.startsWith('-')) throw noCommand(name, line)
    else tests.push({ command: line, options: [] })
    isContinued = goesOn(line)
  }
  return tests
}

/**
 * Reads the input `checks`. They have the notation of tests, but run on the runner: docker has no part in them.
 *
 * @throws UserError
 */
export function readChecks(value: string): Test[] {
  const checks = readTests('checks', value)
  const [option] = checks.flatMap(({ options }) => options)
  if (option === undefined) return checks
  throw new UserError(
    `Input checks has ${lineBeginning(option)} on an indented line; a check runs on the runner and has no docker run options: end the line before it with a backslash if it belongs to the command`
  )
}

function addLine(name: string, test: Test, line: string): void {
  if (test.options.length > 0) {
    throw new UserError(
      `Input ${name} has ${lineBeginning(line)} after an option of the same test; put the options after the last line of the command`
    )
  }
  test.command += `\n${line}`
}

function noCommand(name: string, line: string): UserError {
  return new UserError(
    `Input ${name} has ${lineBeginning(line)}, which begins with a dash; a test begins with its command, and its docker run options follow, each on an indented line of its own`
  )
}

/** Returns whether a shell needs the next line, too: two backslashes are one that is quoted. */
function goesOn(line: string): boolean {
  return (/\\*$/.exec(line)?.[0].length ?? 0) % 2 === 1 || /(&&|\|)$/.test(line)
}

/** The inputs that give tests, and options for them. */
export interface TestInputs {
  tests: readonly Test[]
  productionTests: readonly Test[]
  testOptions: readonly string[]
}

/** Returns all options of docker run that the inputs give, for every test or for one. */
export function allRunOptions({ tests, productionTests, testOptions }: TestInputs): string[] {
  return [...testOptions, ...[...tests, ...productionTests].flatMap(({ options }) => options)]
}

/** Returns the arguments of `sh` for a command. As in a workflow, a script of several lines ends at the first line that fails. */
export function shellArgs(command: string): string[] {
  return [command.includes('\n') ? '-ec' : '-c', command]
}

/** What a test runs in; undefined: a container of the builder image. */
export type TestKind = 'production-test' | 'check' | undefined

/** Returns the title of a test in the log, the timeline and annotations. */
export function titleOfTest({ kind, command }: { kind?: TestKind; command: string }): string {
  const names = { 'production-test': 'Production test', check: 'Check' }
  return `${kind === undefined ? 'Test' : names[kind]} ${titleOf(command)}`
}

/** Returns a test's command on one line, for titles. */
export function titleOf(command: string): string {
  const [first = '', ...more] = command.split('\n')
  return more.length === 0 ? first : `${first} …`
}
