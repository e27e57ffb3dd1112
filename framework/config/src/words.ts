import { hostText } from '@rystra/address'
import { printablePattern } from '@rystra/model'
import { type StringOptions, Type } from '@sinclair/typebox'
import { said } from './schema.js'

export const text = (expected: string, options: StringOptions) => said(Type.String(options), expected)

/** Ids and names are printed to terminals and logs. */
export const word = (description: string) =>
  text('text of 1 to 128 characters', { minLength: 1, maxLength: 128, pattern: printablePattern, description })

/** A place in the network, for the options that only name one. */
export const host = (description = 'A host name or an address.') => text(hostText.title, { ...hostText, description })

/** An address on a transport without hosts and ports. */
export const address = (description: string) =>
  Type.Optional(text('1 to 1024 characters', { minLength: 1, maxLength: 1024, description }))
