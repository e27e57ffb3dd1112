import { fromWireError, type RystraError, toWireError, type WireError } from '@rystra/model'
import { encode } from './codec.js'
import { MAX_DETAIL } from './limits.js'

const blanks = /[\p{Cc}\s]+/gu

/** Makes a text fit for a message and for a terminal: no control characters, one line, well-formed, of bounded length. */
const tidy = (text: string): string => {
  const clean = Buffer.from(text).toString().replace(blanks, ' ').trim()
  if (clean.length <= MAX_DETAIL) return clean
  const cut = clean.slice(0, MAX_DETAIL - 1)
  // Not between the halves of a surrogate pair.
  return `${/[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut}…`
}

/** The `error` field of a message: only what may be seen by the other side, and in a form that fits. */
export const errorField = (error: unknown): WireError => {
  const { code, detail } = toWireError(error)
  return detail === undefined ? { code } : { code, detail: tidy(detail) }
}

/** The error that the other side sent, its text made fit for logs and terminals. */
export const errorFrom = (wire: WireError, side: 'server' | 'client'): RystraError =>
  fromWireError(wire.detail === undefined ? wire : { code: wire.code, detail: tidy(wire.detail) }, side)

/** An Error frame. Before authentication it says the code alone. */
export const errorFrame = (error: unknown, options: { readonly detail: boolean }): Uint8Array => {
  const { code, detail } = errorField(error)
  return encode(options.detail ? { type: 'Error', code, detail } : { type: 'Error', code })
}
