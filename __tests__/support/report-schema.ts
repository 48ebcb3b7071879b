import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { checker, type SchemaObject } from './schema.ts'

const schema = JSON.parse(
  readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'report-1.schema.json'), 'utf8')
) as SchemaObject

/** The same schema without room for further fields: ours has none that the schema does not describe. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, one]) => [key, closed(one)] as const)
  const isOpen = 'properties' in value && !('additionalProperties' in value)
  return Object.fromEntries([...entries, ...(isOpen ? [['additionalProperties', false] as const] : [])])
}

/** What of a report is not as its schema says. */
export const schemaErrors = checker(closed(schema) as SchemaObject)
