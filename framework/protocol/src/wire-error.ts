import { fromWireError, type RystraError, toWireError, type WireError } from '@rystra/model'
import { encode } from './codec.js'
import { MAX_DETAIL, MAX_ERROR_TEXT } from './limits.js'

const blanks = /[\p{Cc}\s]+/gu

/** Characters that change the direction of the text around them. */
const bidi = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** Makes a text fit for a message and for a terminal: no control characters, one line, well-formed, of bounded length. */
const tidy = (text: string, max = MAX_DETAIL): string => {
  const clean = Buffer.from(text).toString().replace(bidi, '').replace(blanks, ' ').trim()
  if (clean.length <= max) return clean
  const cut = clean.slice(0, max - 1)
  // Not between the halves of a surrogate pair.
  return `${/[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut}…`
}

/** The `error` field of a message: only what may be seen by the other side, and in a form that fits. */
export const errorField = (error: unknown): WireError => tidied(toWireError(error))

const tidied = ({ code, detail, text, retryable }: WireError): WireError => ({
  code,
  ...(detail === undefined ? {} : { detail: tidy(detail) }),
  ...(text === undefined ? {} : { text: tidy(text, MAX_ERROR_TEXT) }),
  ...(retryable === true ? { retryable } : {})
})

/** The error that the other side sent, its text made fit for logs and terminals. */
export const errorFrom = (wire: WireError, side: 'server' | 'client'): RystraError => fromWireError(tidied(wire), side)

/** An Error frame. Before authentication it says the code alone. */
export const errorFrame = (error: unknown, options: { readonly detail: boolean }): Uint8Array => {
  const { code, ...rest } = errorField(error)
  return encode(options.detail ? { type: 'Error', code, ...rest } : { type: 'Error', code })
}
