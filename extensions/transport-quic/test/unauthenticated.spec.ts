import { expect } from 'chai'
import { randomBytes } from 'node:crypto'
import type dgram from 'node:dgram'
import { loadQuiche } from '../src/binding.js'
import { clientConfig } from '../src/config.js'
import { Endpoint } from '../src/endpoint.js'
import { QuicOptions } from '../src/options.js'
import { Tokens } from '../src/gate.js'
import { readClientTls } from '@rystra/tls'
import { Value } from '@sinclair/typebox/value'
import { cleanUp, dialTo, later, startListening, transport, until } from './ends.js'
import { bound } from './relay.js'

/** A packet that begins like the first one of a connection. */
const initial = (version = 1, length = 1200): Buffer => {
  const packet = randomBytes(length)
  packet[0] = 0xc3
  packet.writeUInt32BE(version, 1)
  packet[5] = 8
  packet[14] = 8
  packet[23] = 0
  packet.writeUInt16BE(0x4000 | (length - 26), 24)
  return packet
}

/** A peer who sends and counts. */
class RawSender {
  up = 0
  readonly answers: Buffer[] = []
  private constructor(
    private readonly socket: dgram.Socket,
    private readonly port: number
  ) {
    socket.on('message', (packet) => void this.answers.push(packet))
    later(() => socket.close())
  }

  static async of(port: number): Promise<RawSender> {
    return new RawSender(await bound(), port)
  }

  get down(): number {
    return this.answers.reduce((sum, { length }) => sum + length, 0)
  }

  send(packet: Buffer): void {
    this.up += packet.length
    this.socket.send(packet, this.port, '127.0.0.1')
  }

  /** Waits until all that was sent is dealt with: a probe that is always answered is answered. */
  async heard(): Promise<void> {
    const before = this.answers.length
    this.send(initial(0x0a0a0a0a))
    await until(() => this.answers.slice(before).some((answer) => answer.readUInt32BE(1) === 0), 'the list of versions')
  }
}

/** First packets of clients that are quite right, and never go on. */
const hellos = async (count: number): Promise<Buffer[]> => {
  const quiche = await loadQuiche()
  const tls = await readClientTls({ fingerprint: 'ab'.repeat(32) }, 'localhost', { dir: '.' })
  const config = clientConfig(quiche, tls, Value.Create(QuicOptions))
  const at = { host: '127.0.0.1', port: 1 }
  return Array.from({ length: count }, () => {
    const connection = quiche.Connection.connect('localhost', randomBytes(16), at, at, config)
    const packet = Buffer.alloc(1200)
    expect(connection.send(packet)?.[0]).to.equal(1200)
    return packet
  })
}

describe('unauthenticated peers', () => {
  const endpoints: Endpoint[] = []
  const { open } = Endpoint
  before(() => {
    Endpoint.open = async (...args) => {
      const endpoint = await open.apply(Endpoint, args)
      endpoints.push(endpoint)
      return endpoint
    }
  })
  after(() => {
    Endpoint.open = open
  })
  afterEach(cleanUp)

  const endpoint = (): Endpoint => endpoints.at(-1) as Endpoint

  it('get nothing for garbage, keep nothing busy, and do not hurt others', async () => {
    const { port, dir, trust, links } = await startListening()
    const sender = await RawSender.of(port)
    for (let round = 0; round < 20; round++) {
      for (let count = 0; count < 50; count++) sender.send(initial())
      await sender.heard()
      expect(endpoint().handshakes).to.equal(0)
    }
    expect(sender.down).to.be.at.most(3 * sender.up)
    expect(endpoint().links).to.equal(0)
    await dialTo(transport('client', dir), port, trust)
    await until(() => links.length === 1, 'the link of the other client')
  })

  it('have to prove their address when there are many, and cost no more than three times their bytes', async () => {
    const { port, dir, trust, links } = await startListening({ retryAbove: 10, handshakeTimeout: 500 })
    const sender = await RawSender.of(port)
    for (const hello of await hellos(60)) sender.send(hello)
    await sender.heard()
    expect(endpoint().handshakes).to.equal(10)
    const retries = sender.answers.filter(
      (answer) => ((answer[0] as number) & 0xf0) === 0xf0 && answer.readUInt32BE(1) === 1
    )
    expect(retries).to.have.length(50)
    // A peer that answers the Retry is accepted.
    await dialTo(transport('client', dir), port, trust)
    await until(() => links.length === 1, 'the link of the other client')
    await until(() => endpoint().handshakes === 0, 'the end of their handshakes')
    expect(sender.down).to.be.at.most(3 * sender.up)
    expect(endpoint().links).to.equal(1)
  })

  it('are no more than may be, and of one address a quarter', async () => {
    const { port } = await startListening({ retryAbove: 1000, maxHandshakes: 20 })
    const sender = await RawSender.of(port)
    for (const hello of await hellos(40)) sender.send(hello)
    await sender.heard()
    expect(endpoint().handshakes).to.equal(5)
  })

  it('cannot send on and on without finishing a handshake', async () => {
    const { port } = await startListening({ retryAbove: 64, handshakeTimeout: 60_000 })
    const sender = await RawSender.of(port)
    const [hello] = await hellos(1)
    for (let count = 0; count < 81; count++) sender.send(hello as Buffer)
    await sender.heard()
    expect(endpoint().handshakes).to.equal(1)
    sender.send(hello as Buffer)
    await sender.heard()
    expect(endpoint().handshakes).to.equal(0)
    expect(sender.down).to.be.at.most(3 * sender.up)
  })

  it('are reported of the versions for a packet of full size only', async () => {
    const { port } = await startListening()
    const sender = await RawSender.of(port)
    sender.send(initial(0x1a2a3a4a, 1199))
    sender.send(Buffer.concat([Buffer.from([0x40]), randomBytes(1300)]))
    sender.send(Buffer.from([0xc3]))
    sender.send(randomBytes(5))
    sender.send(Buffer.alloc(0))
    await sender.heard()
    expect(sender.answers).to.have.length(1)
    expect(sender.answers[0]?.includes(Buffer.from([0, 0, 0, 1]))).to.equal(true)
    expect(sender.down).to.be.below(100)
  })

  it('cannot fill memory with streams before they are authenticated', async () => {
    const listening = await startListening()
    let refused = 0
    const over = new Promise<Error | undefined>((resolve) => {
      listening.onLink = (link) => {
        link.onClose = resolve
        link.onStream = (stream) => {
          stream.on('error', () => {}).resume()
          link.onStream = undefined
        }
      }
    })
    const link = await dialTo(transport('client', listening.dir), listening.port, listening.trust)
    for (let count = 0; count < 40; count++) {
      const stream = await link.open()
      stream.on('error', () => {
        refused += 1
      })
      stream.write(Buffer.alloc(16_384))
    }
    expect(await over).to.include({ code: 'session.limit' })
    await until(() => refused === 40, 'all streams to be over')
  })

  it('are not valid any more once they were accepted, also where no more streams are taken then', async () => {
    const listening = await startListening()
    const size = 1024 * 1024
    let came = 0
    const all = new Promise<void>((resolve, reject) => {
      listening.onLink = (link) => {
        link.onClose = () => reject(new Error(`closed after ${came} bytes`))
        link.onStream = (stream) => {
          // As a server does: the first stream alone, then then those of the authenticated peer, then none because no handler accepts any.
          link.onStream = undefined
          stream.once('data', () => {
            link.onStream = () => {}
            link.onStream = undefined
          })
          stream.on('data', (chunk: Buffer) => {
            came += chunk.length
            if (came === size) resolve()
          })
        }
      }
    })
    const link = await dialTo(transport('client', listening.dir), listening.port, listening.trust)
    const stream = await link.open()
    stream.write(Buffer.alloc(size))
    await all
    link.destroy()
  })

  it('always have to prove their address where the configuration says so', async () => {
    const { port, dir, trust, links } = await startListening({ retryAbove: 0 })
    const link = await dialTo(transport('client', dir), port, trust)
    await until(() => links.length === 1, 'the link')
    link.destroy()
  })
})

describe('tokens of retries', () => {
  const [original, retry] = [randomBytes(8), randomBytes(16)]

  it('are good for the address, the id and the time they were made for, and for nothing else', () => {
    let now = 1_700_000_000_000
    const tokens = new Tokens(() => now)
    const token = tokens.issue(original, retry, '192.0.2.1', 7000)
    expect(tokens.read(token, retry, '192.0.2.1', 7000)).to.deep.equal(original)
    expect(tokens.read(token, retry, '192.0.2.2', 7000)).to.equal(undefined)
    expect(tokens.read(token, retry, '192.0.2.1', 7001)).to.equal(undefined)
    expect(tokens.read(token, randomBytes(16), '192.0.2.1', 7000)).to.equal(undefined)
    expect(new Tokens().read(token, retry, '192.0.2.1', 7000)).to.equal(undefined)
    now += 20_000
    expect(tokens.read(token, retry, '192.0.2.1', 7000)).to.equal(undefined)
  })

  it('are refused when a bit of them is another one, or some are missing', () => {
    const tokens = new Tokens()
    const token = tokens.issue(original, retry, '192.0.2.1', 7000)
    for (let at = 0; at < token.length; at++) {
      const other = Buffer.from(token)
      other[at] = (other[at] as number) ^ 1
      expect(tokens.read(other, retry, '192.0.2.1', 7000), `byte ${at}`).to.equal(undefined)
      expect(tokens.read(token.subarray(0, at), retry, '192.0.2.1', 7000), `cut at ${at}`).to.equal(undefined)
    }
  })
})
