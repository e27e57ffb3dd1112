import { type StringOptions, Type } from '@sinclair/typebox'
import { said } from './schema.js'

export const text = (expected: string, options: StringOptions) => said(Type.String(options), expected)

/** No control characters: ids and names are printed to terminals and logs. */
export const word = (description: string) =>
  text('text of 1 to 128 characters', { minLength: 1, maxLength: 128, pattern: '^[^\\x00-\\x1f\\x7f]+$', description })
