import { expect } from 'chai'
import { once } from 'node:events'
import type net from 'node:net'
import { Transform } from 'node:stream'
import { type Pump, FilteredStream, type Filters, pump, rawOf } from '../src/index.js'
import { pattern, turns, until } from './reading.js'
import { tcpPair, tidy, tlsPair } from './sockets.js'

interface Relayed {
  readonly visitor: net.Socket
  readonly service: net.Socket
  /** What the pump writes to. */
  readonly far: FilteredStream
  readonly pump: Pump
  readonly done: Promise<Error | undefined>
  /** What the service got so far. */
  readonly got: Buffer[]
}

const relayed = async (aToB: Filters, left = tcpPair): Promise<Relayed> => {
  const [a, b] = [await left(), await tcpPair()]
  let tell: (error: Error | undefined) => void
  const done = new Promise<Error | undefined>((resolve) => {
    tell = resolve
  })
  const far = new FilteredStream(rawOf(b.dialed), { write: aToB })
  const running = pump(rawOf(a.accepted), far, (_there, _back, error) => tell(error))
  const got: Buffer[] = []
  b.accepted.on('data', (chunk: Buffer) => got.push(chunk))
  for (const socket of [a.dialed, b.accepted]) socket.on('error', () => {})
  return { visitor: a.dialed, service: b.accepted, far, pump: running, done, got }
}

/** Longer than any test. */
const forever = 1e12

describe('a stream that is paced', () => {
  afterEach(tidy)

  it('passes nothing on before its time, and neither its end', async () => {
    const { visitor, service, far, pump: running, done, got } = await relayed({ pace: () => forever })
    let ended = false
    service.on('end', () => {
      ended = true
    })
    visitor.end('too early')
    await until(() => far.paused, 'it waits')
    await turns(50)
    expect([got.length, ended, far.written]).to.deep.equal([0, false, 0])
    running.reset()
    await done
    expect(far.paused).to.equal(false)
  })

  for (const [title, left] of [
    ['TCP', tcpPair],
    ['TLS', tlsPair]
  ] as const) {
    it(`loses nothing, and asks for each chunk once (${title})`, async () => {
      const requested: number[] = []
      const {
        visitor,
        service,
        pump: running,
        got
      } = await relayed(
        {
          pace: (bytes) => {
            requested.push(bytes)
            return requested.length % 3
          }
        },
        left
      )
      const bytes = pattern(3 << 20, 1)
      const end = once(service, 'end')
      visitor.end(bytes)
      await end
      expect(Buffer.concat(got).equals(bytes)).to.equal(true)
      expect(requested.reduce((sum, one) => sum + one, 0)).to.equal(bytes.length)
      expect(running.aToB).to.equal(bytes.length)
    })
  }

  it('goes with taps and transforms, and with a service that reads late', async () => {
    const transform = new Transform({ transform: (chunk, _encoding, done) => done(null, chunk) })
    const { visitor, service, got } = await relayed({
      pace: () => 1,
      tap: (chunk) => Buffer.from(chunk.map((byte) => byte ^ 0xff)),
      through: [rawOf(transform)]
    })
    const bytes = pattern(4 << 20, 1)
    service.pause()
    const end = once(service, 'end')
    visitor.end(bytes)
    await turns(200)
    service.resume()
    await end
    expect(Buffer.concat(got).equals(Buffer.from(bytes.map((byte) => byte ^ 0xff)))).to.equal(true)
  })

  it('is reset while it waits, by either side, and by a pacer that throws', async () => {
    const left = await relayed({ pace: () => forever })
    left.visitor.write('x')
    await until(() => left.far.paused, 'it waits')
    left.service.resetAndDestroy()
    expect(await left.done).to.be.an('error')
    const thrown = await relayed({
      pace: () => {
        throw new Error('used up')
      }
    })
    thrown.visitor.write('x')
    expect((await thrown.done)?.message).to.equal('used up')
  })
})
