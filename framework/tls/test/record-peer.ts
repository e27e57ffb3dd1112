import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto'
import { once } from 'node:events'
import type net from 'node:net'
import { Duplex } from 'node:stream'
import tls from 'node:tls'

const label = (secret: Buffer, name: string, bytes: number): Buffer => {
  const text = Buffer.from(`tls13 ${name}`)
  const info = Buffer.concat([Buffer.from([0, bytes, text.length]), text, Buffer.from([0, 1])])
  return createHmac('sha256', secret).update(info).digest().subarray(0, bytes)
}

/** The keys of one direction, RFC 8446 section 7.3, for TLS_AES_128_GCM_SHA256. */
class Keys {
  #secret: Buffer
  #at = 0n

  constructor(secret: Buffer) {
    this.#secret = secret
  }

  update(): void {
    this.#secret = label(this.#secret, 'traffic upd', 32)
    this.#at = 0n
  }

  #nonce(): Buffer {
    const iv = Buffer.from(label(this.#secret, 'iv', 12))
    iv.writeBigUInt64BE(iv.readBigUInt64BE(4) ^ this.#at, 4)
    return iv
  }

  seal(type: number, plain: Buffer): Buffer {
    const head = Buffer.from([23, 3, 3, 0, 0])
    head.writeUInt16BE(plain.length + 17, 3)
    const cipher = createCipheriv('aes-128-gcm', label(this.#secret, 'key', 16), this.#nonce()).setAAD(head)
    this.#at += 1n
    return Buffer.concat([
      head,
      cipher.update(plain),
      cipher.update(Buffer.from([type])),
      cipher.final(),
      cipher.getAuthTag()
    ])
  }

  /** `undefined` where it is under other keys. */
  open(record: Buffer): { type: number; bytes: Buffer } | undefined {
    const decipher = createDecipheriv('aes-128-gcm', label(this.#secret, 'key', 16), this.#nonce())
    decipher.setAAD(record.subarray(0, 5)).setAuthTag(record.subarray(-16))
    const inner = decipher.update(record.subarray(5, -16))
    try {
      decipher.final()
    } catch {
      return undefined
    }
    this.#at += 1n
    return { type: inner.at(-1) as number, bytes: inner.subarray(0, -1) }
  }
}

/** One end of TLS 1.3 whose handshake is Node's, and whose records are made here: any record can be sent. */
export class RecordPeer {
  readonly records: { type: number; bytes: Buffer }[] = []
  readonly #socket: net.Socket
  readonly #node: Duplex
  readonly #secrets = new Map<string, Buffer>()
  #own: Keys | undefined
  #peer: Keys | undefined
  #raw = Buffer.alloc(0)
  #early: Buffer[] = []
  #received = 0
  ended = false

  private constructor(socket: net.Socket) {
    this.#socket = socket
    this.#node = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        this.#early.push(chunk)
        socket.write(chunk, () => done())
      }
    })
    socket.on('error', () => {})
    socket.on('end', () => {
      this.ended = true
    })
    socket.on('data', (bytes: Buffer) => {
      this.#raw = Buffer.concat([this.#raw, bytes])
      if (this.#own === undefined) this.#node.push(bytes)
      else this.#parse()
    })
  }

  static async over(socket: net.Socket, options: tls.TLSSocketOptions & tls.ConnectionOptions): Promise<RecordPeer> {
    const peer = new RecordPeer(socket)
    const fixed = {
      ...options,
      ciphers: 'TLS_AES_128_GCM_SHA256',
      ALPNProtocols: ['rystra/1'],
      rejectUnauthorized: false
    }
    const server = options.isServer === true
    const secure = server
      ? new tls.TLSSocket(peer.#node, { ...fixed, secureContext: tls.createSecureContext(fixed) })
      : tls.connect({ ...fixed, socket: peer.#node })
    secure.on('error', () => {})
    secure.on('keylog', (line: Buffer) => {
      const [name = '', , secret = ''] = String(line).trim().split(' ')
      peer.#secrets.set(name, Buffer.from(secret, 'hex'))
    })
    await once(secure, server ? 'secure' : 'secureConnect')
    const keys = (side: string): Keys => new Keys(peer.#secrets.get(`${side}_TRAFFIC_SECRET_0`) as Buffer)
    peer.#own = keys(server ? 'SERVER' : 'CLIENT')
    peer.#peer = keys(server ? 'CLIENT' : 'SERVER')
    // Tickets of the server were sent under these keys.
    for (let raw = Buffer.concat(peer.#early); raw.length > 5; raw = raw.subarray(5 + raw.readUInt16BE(3)))
      if (raw[0] === 23) peer.#own.open(raw.subarray(0, 5 + raw.readUInt16BE(3)))
    peer.#parse()
    return peer
  }

  /** Bytes of data that have come. */
  get received(): number {
    return this.#received
  }

  #parse(): void {
    while (this.#raw.length >= 5) {
      const size = 5 + this.#raw.readUInt16BE(3)
      if (this.#raw.length < size) return
      const record = this.#raw.subarray(0, size)
      this.#raw = this.#raw.subarray(size)
      const opened = record[0] === 23 ? this.#peer?.open(record) : undefined
      if (opened !== undefined) this.records.push(opened)
      if (opened?.type === 23) this.#received += opened.bytes.length
      // KeyUpdate, RFC 8446 section 4.6.3.
      if (opened?.type === 22 && opened.bytes[0] === 24) this.#peer?.update()
    }
  }

  /** All data that has come. */
  get data(): Buffer {
    return Buffer.concat(this.records.filter(({ type }) => type === 23).map(({ bytes }) => bytes))
  }

  seal(bytes: Buffer, type = 23): Buffer {
    return (this.#own as Keys).seal(type, bytes)
  }

  send(bytes: Buffer, type = 23): void {
    this.#socket.write(this.seal(bytes, type))
  }

  raw(bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  /** The record that changes the keys of what follows. @param requested one is to be sent back */
  changedKeys(requested: boolean): Buffer {
    const record = this.seal(Buffer.from([24, 0, 0, 1, requested ? 1 : 0]), 22)
    this.#own?.update()
    return record
  }

  updateKeys(requested: boolean): void {
    this.raw(this.changedKeys(requested))
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.end()
  }

  reset(): void {
    this.#socket.resetAndDestroy()
  }
}
