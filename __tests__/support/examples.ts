import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

/** A service container of a job. */
export interface Service {
  env?: Record<string, string>
  /** Options of `docker create`, in the notation of a shell. */
  options?: string
}

interface Step {
  uses?: string
  with?: Record<string, unknown>
  env?: Record<string, string>
}

interface Workflow {
  jobs: Record<string, { services?: Record<string, Service>; steps: Step[] }>
}

/** A step that uses this action. */
export interface ActionStep {
  inputs: Record<string, string>
  env: Record<string, string>
}

/** Files for docker compose, which are no workflows. */
const COMPOSE_FILES = ['compose.test.yml']

const root = join(import.meta.dirname, '../..')

/** The action as the README uses it: with its version. */
export const [OURS = ''] =
  /(?<=uses: )[\w-]+\/shared-docker-layers@\S+/.exec(readFileSync(join(root, 'README.md'), 'utf8')) ?? []

/** The workflows in the folder examples that use the action itself; unit/workflows.test.ts is about those of several machines. */
export function exampleWorkflows(): { path: string; text: string }[] {
  return readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.ya?ml$/.test(path) && !COMPOSE_FILES.includes(path) && !path.startsWith('several-machines/'))
    .map((path) => ({ path, text: readExample(path) }))
}

export function readExample(path: string): string {
  return readFileSync(join(root, 'examples', path), 'utf8')
}

/** The files in the folder examples, without their list. */
export function exampleFiles(): string[] {
  const paths = readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' })
  return paths.filter((path) => /\.\w+$/.test(path) && path !== 'README.md')
}

/** The service containers of all jobs of a workflow. */
export function servicesOf(text: string): Record<string, Service> {
  const { jobs } = parse(text) as Workflow
  return Object.assign({}, ...Object.values(jobs).map(({ services }) => services ?? {})) as Record<string, Service>
}

/**
 * The steps of a workflow that use this action.
 *
 * @param evaluate returns the value of an expression, without `${{` and `}}`
 */
export function actionSteps(text: string, evaluate: (expression: string) => string): ActionStep[] {
  const { jobs } = parse(text) as Workflow
  const fill = (value: unknown): string =>
    String(value).replaceAll(/\$\{\{\s*(.*?)\s*\}\}/g, (_, expression: string) => evaluate(expression))
  return Object.values(jobs)
    .flatMap(({ steps }) => steps)
    .filter(({ uses }) => uses === OURS)
    .map(({ with: inputs = {}, env = {} }) => ({
      inputs: Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, fill(value)])),
      env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, fill(value)]))
    }))
}
