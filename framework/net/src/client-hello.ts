/** The fields of a TLS ClientHello that select a listener. */
export interface ClientHello {
  /** Server Name Indication, RFC 6066, in lower case. Absent where the client dialed an address. */
  readonly serverName?: string
  /** The offered protocols, RFC 7301, the preferred first. */
  readonly alpn: readonly string[]
}

const HANDSHAKE_RECORD = 22
const CLIENT_HELLO = 1
const SERVER_NAME = 0
const ALPN = 16
const RECORD_HEADER_BYTES = 5
const MESSAGE_HEADER_BYTES = 4

/** Largest record (RFC 8446 section 5.1) and ClientHello. Post-quantum key shares take some 2 KiB. */
const MAX_BYTES = 16 * 1024

/** Reads length-prefixed fields; throws a `RangeError` at the end of the bytes. */
class Cursor {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.#at === this.#bytes.length
  }

  number(size: 1 | 2): number {
    return this.take(size).readUIntBE(0, size)
  }

  take(size: number): Buffer {
    const end = this.#at + size
    if (end > this.#bytes.length) throw new RangeError('truncated ClientHello')
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }

  /** Reads a vector with a length of `lengthSize` bytes. */
  vector(lengthSize: 1 | 2, min: number, max = 0xffff): Cursor {
    const size = this.number(lengthSize)
    if (size < min || size > max) throw new RangeError('vector length out of bounds')
    return new Cursor(this.take(size))
  }

  rest(): Buffer {
    return this.take(this.#bytes.length - this.#at)
  }
}

/**
 * Reads the ClientHello at the beginning of a connection, RFC 8446 section 4.1.2, which may span several records.
 * `undefined`: more bytes are needed; `null`: not a ClientHello, or a malformed one. Reads 16 KiB at most.
 */
export const readClientHello = (head: Buffer): ClientHello | undefined | null => {
  const message = reassemble(head)
  if (message === undefined || message === null) return message
  try {
    return parse(new Cursor(message))
  } catch {
    return null
  }
}

/** Reassembles the body of the first handshake message from its records. */
const reassemble = (head: Buffer): Buffer | undefined | null => {
  const parts: Buffer[] = []
  let received = 0
  let expected: number | undefined
  for (let at = 0; ; ) {
    if (!isRecordHeader(head.subarray(at, at + RECORD_HEADER_BYTES))) return null
    if (head.length - at < RECORD_HEADER_BYTES) return undefined
    const length = head.readUInt16BE(at + 3)
    if (length === 0 || length > MAX_BYTES) return null
    const part = head.subarray(at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + length)
    if (received === 0 && part.length > 0 && part[0] !== CLIENT_HELLO) return null
    parts.push(part)
    received += part.length
    at += RECORD_HEADER_BYTES + part.length
    if (expected === undefined && received >= MESSAGE_HEADER_BYTES) {
      expected = MESSAGE_HEADER_BYTES + Buffer.concat(parts).readUIntBE(1, 3)
      if (expected > MAX_BYTES) return null
    }
    if (expected !== undefined && received >= expected)
      return Buffer.concat(parts).subarray(MESSAGE_HEADER_BYTES, expected)
    if (part.length < length) return undefined
  }
}

/** Whether the bytes so far begin a handshake record. */
const isRecordHeader = ([type = HANDSHAKE_RECORD, major = 3, minor = 0]: Buffer): boolean =>
  type === HANDSHAKE_RECORD && major === 3 && minor <= 4

const parse = (body: Cursor): ClientHello => {
  if (body.number(2) >> 8 !== 3) throw new RangeError('unsupported TLS version')
  body.take(32)
  body.vector(1, 0, 32)
  body.vector(2, 2)
  body.vector(1, 1)
  const found: { serverName?: string; alpn: string[] } = { alpn: [] }
  if (body.done) return found
  const extensions = body.vector(2, 0)
  if (!body.done) throw new RangeError('trailing bytes after the extensions')
  const types = new Set<number>()
  while (!extensions.done) {
    const type = extensions.number(2)
    const data = extensions.vector(2, 0)
    if (types.has(type)) throw new RangeError('duplicate extension')
    types.add(type)
    if (type === SERVER_NAME) found.serverName = serverName(data)
    if (type === ALPN) found.alpn = protocols(data)
  }
  return found
}

const serverName = (data: Cursor): string => {
  const list = data.vector(2, 1)
  if (list.number(1) !== 0) throw new RangeError('unsupported server name type')
  const name = list.vector(2, 1, 255).rest().toString('latin1')
  // No second name type is defined, and OpenSSL refuses one too.
  if (!list.done || !data.done) throw new RangeError('more than one server name')
  if (!/^[\x21-\x7e]+$/.test(name)) throw new RangeError('invalid server name')
  return name.toLowerCase()
}

const protocols = (data: Cursor): string[] => {
  const list = data.vector(2, 2)
  if (!data.done) throw new RangeError('trailing bytes after the protocols')
  const names: string[] = []
  while (!list.done) names.push(list.vector(1, 1).rest().toString('latin1'))
  return names
}
