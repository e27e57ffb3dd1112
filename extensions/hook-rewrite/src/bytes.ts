import { invalid } from './invalid.js'
import type { BytesRule } from './options.js'
import { Needle } from './search.js'

const longestNeedle = 4096
const longestReplacement = 65_536

/** A compiled rule for bytes. */
export interface CompiledBytes {
  readonly direction: BytesRule['direction']
  readonly needle: Needle
  readonly replacement: Buffer
}

const bytesOf = (written: BytesRule['find'], path: string): Buffer => {
  if (typeof written === 'string') return Buffer.from(written)
  const { hex } = written
  if (!/^([0-9a-fA-F]{2})*$/.test(hex)) throw invalid(`${path}.hex`, 'pairs of hexadecimal digits')
  return Buffer.from(hex, 'hex')
}

/** Throws `extension.options` for empty or long values. */
export const compileBytes = ({ direction, find, replace }: BytesRule, path: string): CompiledBytes => {
  const needle = bytesOf(find, `${path}.find`)
  const replacement = bytesOf(replace, `${path}.replace`)
  if (needle.length === 0) throw invalid(`${path}.find`, 'must not be empty')
  if (needle.length > longestNeedle) throw invalid(`${path}.find`, `at most ${longestNeedle} bytes`)
  if (replacement.length > longestReplacement) throw invalid(`${path}.replace`, `at most ${longestReplacement} bytes`)
  return { direction, needle: new Needle(needle), replacement }
}
