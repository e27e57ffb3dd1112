/** One element of DER, X.690. */
export interface Element {
  readonly tag: number
  readonly content: Buffer
}

export const INTEGER = 0x02
export const UTC_TIME = 0x17
export const GENERALIZED_TIME = 0x18
export const SEQUENCE = 0x30

/** The elements of a text, one beside the other; what is inside of them is not looked into. Throws on what is cut off. */
export const elementsOf = (der: Buffer): Element[] => {
  const elements: Element[] = []
  for (let at = 0; at < der.length; ) {
    const tag = der.readUInt8(at)
    let length = der.readUInt8(at + 1)
    at += 2
    if (length > 0x80) {
      const size = length & 0x7f
      length = der.readUIntBE(at, size)
      at += size
    }
    if (length === 0x80 || at + length > der.length) throw new RangeError('not DER')
    elements.push({ tag, content: der.subarray(at, at + length) })
    at += length
  }
  return elements
}

/** The elements inside of the first one. */
export const insideOf = (der: Buffer): Element[] => elementsOf(elementsOf(der)[0]?.content ?? Buffer.alloc(0))
