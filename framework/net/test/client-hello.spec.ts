import { expect } from 'chai'
import fc from 'fast-check'
import { Duplex } from 'node:stream'
import tls from 'node:tls'
import { readClientHello } from '../src/index.js'

/** The first bytes that OpenSSL sends. */
const helloOf = (options: tls.ConnectionOptions): Promise<Buffer> =>
  new Promise((resolve) => {
    const chunks: Buffer[] = []
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        chunks.push(chunk)
        done()
        setImmediate(() => {
          socket.destroy()
          resolve(Buffer.concat(chunks))
        })
      }
    })
    const socket = tls.connect({ socket: wire, ...options })
    socket.on('error', () => {})
  })

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255])
const vector = (size: 1 | 2, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts)
  return Buffer.concat([size === 1 ? Buffer.from([body.length]) : u16(body.length), body])
}
const extension = (type: number, ...parts: Buffer[]): Buffer => Buffer.concat([u16(type), vector(2, ...parts)])
const sni = (...names: string[]): Buffer =>
  extension(
    0,
    vector(2, ...names.map((name) => Buffer.concat([Buffer.from([0]), vector(2, Buffer.from(name, 'latin1'))])))
  )
const alpn = (...names: string[]): Buffer =>
  extension(16, vector(2, ...names.map((name) => vector(1, Buffer.from(name)))))

const message = (extensions: Buffer | undefined, behind = Buffer.alloc(0)): Buffer => {
  const body = Buffer.concat([
    u16(0x0303),
    Buffer.alloc(32, 7),
    vector(1, Buffer.alloc(32)),
    vector(2, u16(0x1301)),
    vector(1, Buffer.from([0])),
    ...(extensions === undefined ? [] : [vector(2, extensions)]),
    behind
  ])
  return Buffer.concat([Buffer.from([1, 0]), u16(body.length), body])
}

/** Cut into records of so many bytes. */
const records = (bytes: Buffer, size = 16_384): Buffer => {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) {
    const part = bytes.subarray(at, at + size)
    parts.push(Buffer.from([22, 3, 1]), u16(part.length), part)
  }
  return Buffer.concat(parts)
}

describe('a ClientHello', () => {
  it('of OpenSSL says name and protocols', async () => {
    const hello = await helloOf({ servername: 'Tunnel.Example', ALPNProtocols: ['rystra/1', 'h2', 'http/1.1'] })
    expect(readClientHello(hello)).to.deep.equal({ serverName: 'tunnel.example', alpn: ['rystra/1', 'h2', 'http/1.1'] })
    expect(readClientHello(Buffer.concat([hello, Buffer.from('more')]))).to.deep.include({
      serverName: 'tunnel.example'
    })
  })

  it('of OpenSSL without either, and of TLS 1.2', async () => {
    expect(readClientHello(await helloOf({ host: '127.0.0.1' }))).to.deep.equal({ alpn: [] })
    const old = await helloOf({ servername: 'a.example', maxVersion: 'TLSv1.2', ALPNProtocols: ['h2'] })
    expect(readClientHello(old)).to.deep.equal({ serverName: 'a.example', alpn: ['h2'] })
    expect(readClientHello(records(message(undefined)))).to.deep.equal({ alpn: [] })
  })

  it('needs all of its bytes, and no more', async () => {
    const hello = await helloOf({ servername: 'a.example', ALPNProtocols: ['h2'] })
    for (let length = 0; length < hello.length; length += 1)
      expect(readClientHello(hello.subarray(0, length)), `${length} bytes`).to.equal(undefined)
    expect(readClientHello(hello)).to.deep.equal({ serverName: 'a.example', alpn: ['h2'] })
  })

  it('may be in several records, and be as large as post-quantum key shares make it', () => {
    const large = message(Buffer.concat([extension(51, Buffer.alloc(12_000, 1)), sni('a.example'), alpn('h2')]))
    for (const size of [16_384, 5000, 512, 100, 7]) {
      const bytes = records(large, size)
      expect(readClientHello(bytes), `records of ${size}`).to.deep.equal({ serverName: 'a.example', alpn: ['h2'] })
      expect(readClientHello(bytes.subarray(0, -1)), `records of ${size}`).to.equal(undefined)
    }
    expect(readClientHello(records(message(sni('a.example')), 1))).to.deep.equal({ serverName: 'a.example', alpn: [] })
  })

  it('is not what others begin with, as soon as they do', () => {
    for (const bytes of [
      'G',
      'RYS',
      'SSH-2.0',
      '\x15',
      '\x16\x02',
      '\x16\x03\x09',
      '\x16\x03\x01\0\0',
      '\x16\x03\x01\x40\x01',
      '\x16\x03\x01\x02\x00\x02',
      '\x16\x03\x01\x02\x00\x01\x01\0\0'
    ])
      expect(readClientHello(Buffer.from(bytes, 'latin1')), JSON.stringify(bytes)).to.equal(null)
  })

  it('that is broken is not valid', () => {
    for (const [what, broken] of [
      ['something behind the extensions', message(sni('a'), Buffer.from([1]))],
      ['an extension twice', message(Buffer.concat([alpn('h2'), alpn('h2')]))],
      ['two names', message(sni('a', 'b'))],
      ['an empty name', message(sni(''))],
      ['a name with a line end', message(sni('a\nb'))],
      ['a name beyond ASCII', message(sni('\xe4'))],
      ['a name of 256', message(sni('a'.repeat(256)))],
      ['an empty protocol', message(alpn('h2', ''))],
      ['no protocols', message(extension(16, vector(2)))],
      ['an empty list of names', message(extension(0, vector(2)))],
      ['a length beyond the end', message(extension(16, u16(99)))],
      ['half an extension', message(Buffer.from([0, 16, 0]))]
    ] as const)
      expect(readClientHello(records(broken)), what).to.equal(null)
  })

  it('is read without a slip, whatever comes', () => {
    const good = records(message(Buffer.concat([sni('a.example'), alpn('rystra/1', 'h2')])))
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const result = readClientHello(Buffer.from(bytes))
        expect(result === undefined || result === null || Array.isArray(result.alpn)).to.equal(true)
      })
    )
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, value, cut) => {
        const bytes = Buffer.from(good)
        bytes[at] = value
        readClientHello(bytes)
        readClientHello(bytes.subarray(0, cut))
      }),
      { numRuns: 600 }
    )
  })

  it('gives back what was put in, cut into records anyhow', () => {
    const name = fc.stringMatching(/^[a-z0-9.-]{1,100}$/)
    const protocol = fc.stringMatching(/^[a-z0-9/.-]{1,40}$/)
    fc.assert(
      fc.property(
        name,
        fc.array(protocol, { minLength: 1, maxLength: 9 }),
        fc.integer({ min: 1, max: 900 }),
        (host, protocols, size) => {
          const bytes = records(message(Buffer.concat([alpn(...protocols), sni(host)])), size)
          expect(readClientHello(bytes)).to.deep.equal({ serverName: host, alpn: protocols })
        }
      )
    )
  })
})
