import { type ExtensionEntry, type ExtensionUse, isExtension } from '@rystra/plugin'
import { resolved } from './schema.js'

const fieldsOfUse = ['use', 'name', 'options']
const expectedUse = "a package name, a relative path such as './hooks/mine.ts', or { use, name?, options? }"

const entry = (value: unknown): ExtensionEntry => {
  if (typeof value === 'string' && value.trim() !== '' && value.length <= 1024) return value
  if (isExtension(value)) return value
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new RangeError(`expected ${expectedUse}`)
  const fields = value as Record<string, unknown>
  if (isExtension(fields.extension)) return value as ExtensionUse
  const unknown = Object.keys(fields).find((key) => !fieldsOfUse.includes(key))
  if (unknown !== undefined) throw new RangeError(`expected no keys but ${fieldsOfUse.join(', ')}`)
  if (
    !(
      isExtension(fields.use) ||
      (typeof fields.use === 'string' && fields.use.trim() !== '' && fields.use.length <= 1024)
    )
  )
    throw new RangeError(`expected ${expectedUse}`)
  if (fields.name !== undefined && !(typeof fields.name === 'string' && /^[\w.@/-]{1,128}$/.test(fields.name)))
    throw new RangeError('expected a name of letters, digits and . @ / _ -')
  return value as ExtensionEntry
}

const use = {
  type: 'string',
  minLength: 1,
  maxLength: 1024,
  description: 'Package name, or path relative to the configuration.'
}

/** Schema of {@link ExtensionEntry}. */
export const extensionSchema = resolved<ExtensionEntry, ExtensionEntry>(
  expectedUse,
  {
    anyOf: [
      use,
      {
        type: 'object',
        properties: {
          use,
          name: {
            type: 'string',
            pattern: '^[\\w.@/-]{1,128}$',
            description: 'Name that distinguishes two uses of one extension. Default: the name that the extension has.'
          },
          options: { description: "The extension's options; its README lists them." }
        },
        required: ['use'],
        additionalProperties: false
      }
    ]
  },
  entry
)
