import type { RystraError } from '@rystra/plugin'
import { Carrier, type CarrierStream } from '../src/carrier.js'
import { MAX_DATAGRAM_BYTES } from '../src/frames.js'
import { expect } from 'chai'
import { cleanUp, ends, turns, until } from './ends.js'

const at = (carries: CarrierStream) => {
  const came: [number, Buffer][] = []
  const closed: number[] = []
  const over: (RystraError | undefined)[] = []
  const lost: number[] = []
  const carrier = new Carrier(carries, {
    onDatagram: (session, datagram) => came.push([session, datagram]),
    onSessionClose: (session) => closed.push(session),
    onLost: (datagrams) => lost.push(datagrams),
    onClose: (error) => over.push(error)
  })
  return { carrier, came, closed, over, lost }
}

describe('a carrier of datagrams', () => {
  afterEach(cleanUp)

  for (const [how, options] of [
    ['in a stream', undefined],
    ['in a flow', { maxSize: 1200 }]
  ] as const) {
    it(`keeps boundaries, ${how}`, async () => {
      const [near, far] = ends(options)
      const [here, there] = [at(near), at(far)]
      const sizes = [0, 1, 2, 1195, 1196, 1197, 9000, 65_507, MAX_DATAGRAM_BYTES]
      for (const [session, size] of sizes.entries()) {
        expect(here.carrier.send(session, Buffer.alloc(size, session))).to.equal(true)
        await until(() => there.came.length === session + 1)
      }
      expect(there.came.map(([session, datagram]) => [session, datagram.length])).to.deep.equal([...sizes.entries()])
      expect(
        there.came.every(([session, datagram]) => datagram.equals(Buffer.alloc(datagram.length, session)))
      ).to.equal(true)
      there.carrier.send(4_294_967_295, Buffer.from('back'))
      await until(() => here.came.length === 1)
      expect(here.came[0]?.[0]).to.equal(4_294_967_295)
    })
  }

  it('sends over the stream only what does not fit into the flow', async () => {
    const [near, far] = ends({ maxSize: 100 })
    const written: number[] = []
    const write = near.stream.write.bind(near.stream) as (chunk: Buffer) => boolean
    near.stream.write = ((chunk: Buffer) => {
      written.push(chunk.length)
      return write(chunk)
    }) as typeof near.stream.write
    const [here, there] = [at(near), at(far)]
    here.carrier.send(1, Buffer.alloc(96))
    here.carrier.send(1, Buffer.alloc(97))
    await until(() => there.came.length === 2)
    expect(written).to.deep.equal([6 + 97])
  })

  it('finds out when less fits than before', async () => {
    const [near, far] = ends({ maxSize: 1000 })
    const [here, there] = [at(near), at(far)]
    Object.defineProperty(near.datagrams, 'maxSize', { value: 200 })
    expect(here.carrier.send(1, Buffer.alloc(500))).to.equal(true)
    await until(() => there.came.length === 1)
    expect(there.came[0]?.[1].length).to.equal(500)
  })

  it('says what a flow drops', async () => {
    const [near, far] = ends({ maxSize: 1000, queue: 3 })
    const [here, there] = [at(near), at(far)]
    const sent = Array.from({ length: 5 }, (_, session) => here.carrier.send(session, Buffer.alloc(10)))
    expect(sent).to.deep.equal([true, true, true, false, false])
    await until(() => there.came.length === 3)
  })

  it('writes once for all datagrams of a turn', async () => {
    const [near, far] = ends()
    let chunks = 0
    far.stream.on('data', () => void chunks++)
    const [here, there] = [at(near), at(far)]
    for (let session = 0; session < 500; session += 1) here.carrier.send(session, Buffer.from('x'))
    await until(() => there.came.length === 500)
    expect(chunks).to.equal(1)
  })

  it('drops the newest when the stream is slow, and keeps no more than 1 MiB; nothing is cut', async () => {
    const [near, far] = ends()
    const here = at(near)
    far.stream.pause()
    const datagram = Buffer.alloc(10_000)
    let sent = 0
    for (let count = 0; count < 1000; count += 1) {
      if (here.carrier.send(count, datagram)) sent += 1
      if (count % 10 === 0) await turns(1)
    }
    expect(sent).to.be.within(100, 140)
    const there = at(far)
    far.stream.resume()
    await until(() => there.came.length === sent)
    expect(there.came.map(([session]) => session)).to.deep.equal(Array.from({ length: sent }, (_, index) => index))
    expect(here.carrier.send(0, datagram), 'it goes on afterwards').to.equal(true)
  })

  it('tells of sessions that are closed, and of its end', async () => {
    const [near, far] = ends()
    const [here, there] = [at(near), at(far)]
    here.carrier.send(3, Buffer.from('last words'))
    here.carrier.closeSession(3)
    here.carrier.close()
    await until(() => here.over.length + there.over.length === 2)
    expect([here.over, there.over]).to.deep.equal([[undefined], [undefined]])
    expect([there.came.length, there.closed]).to.deep.equal([1, [3]])
    expect(here.carrier.send(3, Buffer.from('too late'))).to.equal(false)
  })

  it('resets a stream of garbage, and says so', async () => {
    const [near, far] = ends()
    const here = at(near)
    let reset: string | undefined
    far.stream.on('error', (error: NodeJS.ErrnoException) => {
      reset = error.code
    })
    far.stream.write(Buffer.from([0, 0, 0, 1, 0xff, 0xfe, 1, 2, 3]))
    far.stream.resume()
    await until(() => here.over.length === 1 && reset !== undefined)
    expect(here.over[0]?.code).to.equal('protocol.malformed')
    expect(reset).to.equal('ECONNRESET')
  })

  it('ignores messages that are too short for a flow, and what comes after its end', async () => {
    const [near, far] = ends({ maxSize: 1000 })
    const here = at(near)
    far.datagrams?.send(Buffer.from([1, 2, 3]))
    far.datagrams?.send(Buffer.from([0, 0, 0, 9]))
    await until(() => here.came.length === 1)
    expect(here.came).to.deep.equal([[9, Buffer.alloc(0)]])
    far.stream.destroy()
    await until(() => here.over.length === 1)
    expect(here.over[0]?.code).to.equal('stream.reset')
  })
})
