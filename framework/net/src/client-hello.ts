/** What the first message of a TLS client says about whom it wants. */
export interface ClientHello {
  /** Server Name Indication, RFC 6066, in small letters. Absent where the client dialed an address. */
  readonly serverName?: string
  /** The protocols it offers, RFC 7301, the one it likes best first. */
  readonly alpn: readonly string[]
}

const HANDSHAKE = 22
const CLIENT_HELLO = 1
const SERVER_NAME = 0
const ALPN = 16
const RECORD_HEADER = 5
const MESSAGE_HEADER = 4

/** Bytes of a record, RFC 8446 section 5.1, and of a ClientHello. Post-quantum key shares make it some 2 KiB. */
const MAX_SIZE = 16 * 1024

/** Reads lengths and what they announce; throws a `RangeError` where there is less. */
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
    if (end > this.#bytes.length) throw new RangeError('it ends too early')
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }

  /** What follows a length of so many bytes. */
  vector(lengthSize: 1 | 2, least: number, most = 0xffff): Cursor {
    const size = this.number(lengthSize)
    if (size < least || size > most) throw new RangeError('a length is out of bounds')
    return new Cursor(this.take(size))
  }

  rest(): Buffer {
    return this.take(this.#bytes.length - this.#at)
  }
}

/**
 * Reads the ClientHello at the beginning of a connection, RFC 8446 section 4.1.2, which may lie in several records.
 * `undefined`: more bytes are needed; `null`: it is none, or a broken one. Looks at 16 KiB at most.
 */
export const readClientHello = (head: Buffer): ClientHello | undefined | null => {
  const message = gather(head)
  if (message === undefined || message === null) return message
  try {
    return parse(new Cursor(message))
  } catch {
    return null
  }
}

/** The body of the first handshake message, out of the records it lies in. */
const gather = (head: Buffer): Buffer | undefined | null => {
  const parts: Buffer[] = []
  let have = 0
  let wanted: number | undefined
  for (let at = 0; ; ) {
    if (!beginsRecord(head.subarray(at, at + RECORD_HEADER))) return null
    if (head.length - at < RECORD_HEADER) return undefined
    const length = head.readUInt16BE(at + 3)
    if (length === 0 || length > MAX_SIZE) return null
    const part = head.subarray(at + RECORD_HEADER, at + RECORD_HEADER + length)
    if (have === 0 && part.length > 0 && part[0] !== CLIENT_HELLO) return null
    parts.push(part)
    have += part.length
    at += RECORD_HEADER + part.length
    if (wanted === undefined && have >= MESSAGE_HEADER) {
      wanted = MESSAGE_HEADER + Buffer.concat(parts).readUIntBE(1, 3)
      if (wanted > MAX_SIZE) return null
    }
    if (wanted !== undefined && have >= wanted) return Buffer.concat(parts).subarray(MESSAGE_HEADER, wanted)
    if (part.length < length) return undefined
  }
}

/** Whether this is the header of a record of the handshake, as far as it goes. */
const beginsRecord = ([type = HANDSHAKE, major = 3, minor = 0]: Buffer): boolean =>
  type === HANDSHAKE && major === 3 && minor <= 4

const parse = (body: Cursor): ClientHello => {
  if (body.number(2) >> 8 !== 3) throw new RangeError('not a version of TLS')
  body.take(32)
  body.vector(1, 0, 32)
  body.vector(2, 2)
  body.vector(1, 1)
  const found: { serverName?: string; alpn: string[] } = { alpn: [] }
  if (body.done) return found
  const extensions = body.vector(2, 0)
  if (!body.done) throw new RangeError('something follows the extensions')
  const types = new Set<number>()
  while (!extensions.done) {
    const type = extensions.number(2)
    const data = extensions.vector(2, 0)
    if (types.has(type)) throw new RangeError('an extension comes twice')
    types.add(type)
    if (type === SERVER_NAME) found.serverName = serverName(data)
    if (type === ALPN) found.alpn = protocols(data)
  }
  return found
}

const serverName = (data: Cursor): string => {
  const list = data.vector(2, 1)
  if (list.number(1) !== 0) throw new RangeError('not the name of a host')
  const name = list.vector(2, 1, 255).rest().toString('latin1')
  // Another name type cannot follow: nobody ever defined one, and OpenSSL refuses it too.
  if (!list.done || !data.done) throw new RangeError('more than one name')
  if (!/^[\x21-\x7e]+$/.test(name)) throw new RangeError('not a name')
  return name.toLowerCase()
}

const protocols = (data: Cursor): string[] => {
  const list = data.vector(2, 2)
  if (!data.done) throw new RangeError('something follows the protocols')
  const names: string[] = []
  while (!list.done) names.push(list.vector(1, 1).rest().toString('latin1'))
  return names
}
