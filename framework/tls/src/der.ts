/** A DER element, ITU-T X.690. */
export interface Element {
  readonly tag: number
  readonly content: Buffer
  /** Content with its header. */
  readonly raw: Buffer
}

export const Tag = {
  integer: 0x02,
  bitString: 0x03,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  octetString: 0x04,
  boolean: 0x01
} as const

/** Reads consecutive elements without copying. Throws for malformed ones. */
export class DerReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  get more(): boolean {
    return this.#at < this.#bytes.length
  }

  next(): Element {
    const start = this.#at
    const tag = this.#byte()
    if ((tag & 0x1f) === 0x1f) throw new Error('DER: multi-byte tag')
    const length = this.#length()
    const end = this.#at + length
    if (end > this.#bytes.length) throw new Error('DER: truncated')
    const content = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return { tag, content, raw: this.#bytes.subarray(start, end) }
  }

  /** The next element. Throws if it has another tag. */
  take(tag: number): Element {
    const element = this.next()
    if (element.tag !== tag) throw new Error(`DER: tag ${element.tag} where ${tag} is expected`)
    return element
  }

  /** The next element if it has one of these tags. */
  optional(...tags: number[]): Element | undefined {
    return this.more && tags.includes(this.#bytes[this.#at] as number) ? this.next() : undefined
  }

  /** The remaining elements. */
  rest(): Element[] {
    const elements: Element[] = []
    while (this.more) elements.push(this.next())
    return elements
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++]
    if (byte === undefined) throw new Error('DER: truncated')
    return byte
  }

  #length(): number {
    const first = this.#byte()
    if (first < 0x80) return first
    const count = first & 0x7f
    if (count === 0 || count > 4) throw new Error('DER: unsupported length encoding')
    let length = 0
    for (let index = 0; index < count; index++) length = length * 256 + this.#byte()
    if (length < 0x80 || length < 256 ** (count - 1)) throw new Error('DER: length is not minimally encoded')
    return length
  }
}

/** A reader of the content of an element. */
export const inside = ({ content }: Element): DerReader => new DerReader(content)

/** The common structure of certificates and revocation lists, RFC 5280 sections 4.1.1 and 5.1.1. */
export interface Signed {
  readonly body: Element
  /** The object identifier. */
  readonly algorithm: Element
  readonly signature: Buffer
}

/** Splits a signed structure without verifying the signature. */
export const signedOf = (der: Uint8Array): Signed => {
  const parts = inside(new DerReader(der).take(Tag.sequence))
  const body = parts.take(Tag.sequence)
  const algorithm = inside(parts.take(Tag.sequence)).take(Tag.oid)
  return { body, algorithm, signature: parts.take(Tag.bitString).content.subarray(1) }
}

/** The dotted form of an object identifier, for example `2.5.4.3`. */
export const oidOf = ({ content }: Element): string => {
  const arcs: number[] = []
  let arc = 0
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f)
    if (arc > Number.MAX_SAFE_INTEGER / 256) throw new Error('DER: object identifier too large')
    if ((byte & 0x80) !== 0) continue
    if (arcs.length === 0) arcs.push(Math.min(2, Math.floor(arc / 40)), arc - 40 * Math.min(2, Math.floor(arc / 40)))
    else arcs.push(arc)
    arc = 0
  }
  return arcs.join('.')
}

/**
 * Hexadecimal digits of an integer in lower case without leading zeros: the form in which serial numbers are compared.
 */
export const serialOf = ({ content }: Element): string => plainHex(content.toString('hex'))

/** The same form for a configured text; colons and leading zeros are ignored. */
export const plainHex = (text: string): string =>
  text
    .replaceAll(':', '')
    .toLowerCase()
    .replace(/^0+(?=.)/, '')

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** The text of a character string; `undefined` for other elements and for bytes that are invalid in their type. */
export const textOf = ({ tag, content }: Element): string | undefined => {
  try {
    if (tag === 0x0c) return utf8.decode(content)
    // PrintableString, IA5String, NumericString
    if (tag === 0x13 || tag === 0x16 || tag === 0x12) return asciiOf(content)
    if (tag === 0x1e && content.length % 2 === 0) return Buffer.from(content).swap16().toString('utf16le')
  } catch {
    return undefined
  }
  return undefined
}

/** ASCII text; `undefined` for other bytes. */
export const asciiOf = (bytes: Buffer): string | undefined =>
  bytes.every((byte) => byte < 0x80) ? bytes.toString('latin1') : undefined

/** Milliseconds since the epoch of a UTCTime or GeneralizedTime, RFC 5280 section 4.1.2.5. */
export const timeOf = ({ tag, content }: Element): number => {
  const text = content.toString('latin1')
  const full = tag === Tag.utcTime ? `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}` : text
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full)
  if (match === null) throw new Error('DER: malformed time')
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number
  ]
  return Date.UTC(year, month - 1, day, hour, minute, second)
}
