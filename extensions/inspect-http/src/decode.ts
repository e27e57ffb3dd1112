import type { HeaderField } from '@rystra/plugin'
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate } from 'node:zlib'
import type { Body } from './body.js'

/** Bytes that a body is decoded to, at most: some hundred bytes can be gigabytes. */
const MAX_DECODED_BYTES = 1024 * 1024

/** Codings that are decoded one in another, at most. */
const MAX_CODINGS = 3

const decoders: Readonly<Record<string, (data: Buffer, options: object) => Promise<Buffer>>> = {
  gzip: promisify(gunzip) as never,
  'x-gzip': promisify(gunzip) as never,
  deflate: promisify(inflate) as never,
  br: promisify(brotliDecompress) as never
}

/** A body for display. */
export interface DisplayedBody {
  /** Bytes of the whole, as it was on the wire. */
  readonly length: number
  readonly truncated: boolean
  /** Text as UTF-8; absent for other content. */
  readonly text?: string
  /** As it was on the wire, where it is no text. */
  readonly base64?: string
  /** Why it was not decoded. */
  readonly problem?: string
}

/** The value of a field; the last one, if there are several. */
export const fieldOf = (headers: readonly HeaderField[], wanted: string): string | undefined =>
  headers.findLast(([name]) => name.toLowerCase() === wanted)?.[1]

const utf8 = new TextDecoder('utf-8', { fatal: true })

const textOf = (bytes: Buffer, truncated: boolean): string | undefined => {
  // The cut may be within a character.
  for (let cut = 0; cut < (truncated ? 4 : 1); cut += 1) {
    try {
      const text = utf8.decode(bytes.subarray(0, bytes.length - cut))
      return text.includes('\0') ? undefined : text
    } catch {}
  }
  return undefined
}

/** Decodes a body for display: what is kept stays as it was. Never rejects. */
export const displayBody = async (body: Body, headers: readonly HeaderField[]): Promise<DisplayedBody> => {
  const { length, truncated } = body
  const raw = body.bytes()
  const codings = (fieldOf(headers, 'content-encoding') ?? '')
    .toLowerCase()
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '' && one !== 'identity')
  const asIs = (problem?: string): DisplayedBody => {
    const text = codings.length === 0 ? textOf(raw, truncated) : undefined
    return {
      length,
      truncated,
      ...(text === undefined ? { base64: raw.toString('base64') } : { text }),
      ...(problem === undefined ? {} : { problem })
    }
  }
  if (codings.length === 0 || raw.length === 0) return asIs()
  if (truncated) return asIs('it is truncated, and cannot be decoded')
  if (codings.length > MAX_CODINGS) return asIs('it has too many codings')
  let bytes = raw
  for (const coding of codings.toReversed()) {
    const decode = Object.hasOwn(decoders, coding) ? decoders[coding] : undefined
    if (decode === undefined) return asIs(`the coding ${JSON.stringify(coding.slice(0, 20))} is not known`)
    try {
      bytes = await decode(bytes, { maxOutputLength: MAX_DECODED_BYTES })
    } catch (error) {
      const tooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
      return asIs(tooLarge ? `it has more than ${MAX_DECODED_BYTES} bytes when decoded` : 'it cannot be decoded')
    }
  }
  const text = textOf(bytes, false)
  return { length, truncated, ...(text === undefined ? { base64: raw.toString('base64') } : { text }) }
}
