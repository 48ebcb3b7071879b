import { Ajv2020, type SchemaObject } from 'ajv/dist/2020.js'

export type { SchemaObject }

/** A function that lists what of a value does not match the JSON schema. */
export function checker(schema: SchemaObject): (value: unknown) => string[] {
  const validate = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true, discriminator: true }).compile(
    schema
  )
  return (value) => {
    validate(value)
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`
    )
  }
}
