import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'

const LONGEST_LINE = 120

/** What is wrong with the text of a line, or undefined. */
const lineRules = [
  (line) => (line.length > LONGEST_LINE ? `longer than ${LONGEST_LINE} characters` : undefined),
  (line) => (/\s$/.test(line) ? 'blanks at the end of the line' : undefined),
  (line) => (line.includes('\t') ? 'a tab' : undefined),
  (line) => (/^\s*var\s/.test(line) ? 'var instead of const or let' : undefined),
  (line) => (/^\s*debugger\b/.test(line) ? 'a breakpoint that was left behind' : undefined),
  (line) => (/^\s*(?:describe|it|suite|test)\.only\(/.test(line) ? 'a test that silences the others' : undefined)
]

/**
 * Checks the syntax of a module, each of its lines, and that whatever it imports is relative, declared or Node's own.
 *
 * @param file path of the module
 * @param packages names of the packages that it may import
 * @returns a line for each problem
 */
export function lint(file, packages) {
  const text = readFileSync(file, 'utf8')
  const lines = text.split('\n')
  const problems = lines.flatMap((line, index) =>
    lineRules.map((rule) => rule(line)).flatMap((problem) => (problem ? [`${file}:${index + 1}: ${problem}`] : []))
  )
  if (lines.at(-1) !== '') problems.push(`${file}:${lines.length}: no newline at the end of the file`)
  for (const [, name] of text.matchAll(/^(?:import|export)\s(?:[^'"]*\sfrom\s+)?['"]([^'"]+)['"]/gm)) {
    if (!name.startsWith('.') && !packages.includes(name) && !isBuiltin(name)) {
      problems.push(`${file}: ${name} is not among the dependencies in package.json`)
    } else if (isBuiltin(name) && !name.startsWith('node:')) {
      problems.push(`${file}: ${name} without node: before it`)
    }
  }
  const { status, stderr } = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8' })
  if (status !== 0) problems.push(stderr.trim())
  return problems
}
