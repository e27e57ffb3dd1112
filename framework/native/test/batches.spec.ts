import { expect } from 'chai'
import { batched, bound, cleanUp, flushed, needsNative, sent, until } from './ends.js'

/** A datagram that says which one it is. */
const numbered = (index: number, size: number): Buffer => {
  const datagram = Buffer.alloc(size, index)
  datagram.writeUInt32BE(index)
  return datagram
}

for (const features of [
  { segment: true, coalesce: true },
  { segment: false, coalesce: true },
  { segment: true, coalesce: false },
  { segment: false, coalesce: false }
]) {
  describe(`datagrams in batches, ${JSON.stringify(features)}`, () => {
    needsNative()
    afterEach(cleanUp)

    it('arrive as they were sent, of every size and in order', async () => {
      const [one, other] = [await batched(features), await batched(features)]
      const sizes = [0, 1, 2, 1199, 1200, 1200, 1200, 700, 1200, 0, 0, 1452, 1452, 9000, 65_507, 3, 65_507, 65_507, 1]
      const all = sizes.map((size, index) => Buffer.alloc(size, index))
      for (const datagram of all) await sent(one, datagram, other.port)
      await until(() => other.datagrams.length === all.length, 'all datagrams')
      expect(other.datagrams.map((datagram, index) => datagram.equals(all[index] as Buffer))).to.not.include(false)
      expect(new Set(other.from)).to.deep.equal(new Set([`127.0.0.1|${one.port}`]))
    })

    it('go to many peers in one batch, over IPv6 as well', async () => {
      const here = await batched(features, { host: '::1' })
      const peers = await Promise.all([1, 2, 3].map(() => batched(features, { host: '::1' })))
      for (let round = 0; round < 10; round += 1)
        for (const [index, { port }] of peers.entries()) await sent(here, numbered(index, 1000 + index), port, '::1')
      for (const [index, peer] of peers.entries()) {
        await until(() => peer.datagrams.length === 10, 'ten for each')
        for (const datagram of peer.datagrams) expect(datagram.equals(numbered(index, 1000 + index))).to.equal(true)
        expect(new Set(peer.from)).to.deep.equal(new Set([`::1|${here.port}`]))
      }
    })

    it('leave from slots, which are theirs until the next one', async () => {
      const one = await batched(features)
      const other = await batched(features, { peer: one.port })
      for (let index = 0; index < 300; index += 1) {
        if (index % 60 === 0) await flushed(other)
        const slot = other.udp.slot(1452)
        numbered(index, 1300).copy(slot)
        // Every tenth is given up, every fifth is short.
        if (index % 10 !== 9) other.udp.send(index % 5 === 0 ? 900 : 1300, undefined, '', false)
      }
      await until(() => one.datagrams.length === 270, 'all that were sent')
      const indices = one.datagrams.map((datagram) => datagram.readUInt32BE())
      expect(indices).to.deep.equal(
        Array.from({ length: 300 }, (_, index) => index).filter((index) => index % 10 !== 9)
      )
      for (const [at, datagram] of one.datagrams.entries())
        expect(datagram.length).to.equal((indices[at] as number) % 5 === 0 ? 900 : 1300)
    })

    it('may be 20,000 at once: what arrives is whole, and it goes on afterwards', async () => {
      const [one, other] = [await batched(features), await batched(features)]
      let taken = 0
      for (let index = 0; index < 20_000; index += 1)
        if (one.udp.post(numbered(index, 1200), other.port, '127.0.0.1')) taken += 1
      one.udp.flush()
      expect(taken).to.be.greaterThan(0)
      await until(() => {
        if (!one.udp.blocked) one.udp.post(Buffer.from('last'), other.port, '127.0.0.1')
        return other.datagrams.some((datagram) => datagram.length === 4)
      }, 'the last one')
      const whole = other.datagrams.filter((datagram) => datagram.length > 4)
      expect(whole.length).to.be.greaterThan(100)
      for (const datagram of whole) expect(datagram.equals(numbered(datagram.readUInt32BE(), 1200))).to.equal(true)
      expect(one.errors).to.deep.equal([])
    }).timeout(20_000)
  })
}

describe('a socket in batches', () => {
  needsNative()
  afterEach(cleanUp)

  it('talks with a socket of Node, both ways', async () => {
    const [here, node] = [await batched(), await bound()]
    const came: number[] = []
    node.on('message', (datagram, { address, port }) => {
      came.push(datagram.length)
      node.send(datagram, port, address)
    })
    const sizes = Array.from({ length: 40 }, (_, index) => 500 + Math.floor(index / 4))
    for (const size of sizes) here.udp.post(Buffer.alloc(size), node.address().port, '127.0.0.1')
    await until(() => here.datagrams.length === sizes.length, 'the answers')
    expect(came).to.deep.equal(sizes)
    expect(here.datagrams.map(({ length }) => length)).to.deep.equal(sizes)
  })

  it('reports an unreachable peer, and works when the peer is back', async () => {
    const peer = await batched()
    const here = await batched({}, { peer: peer.port })
    await new Promise<void>((resolve) => peer.socket.close(() => resolve()))
    here.udp.post(Buffer.from('1'))
    await until(() => here.errors.length > 0, 'the error')
    expect(here.errors[0]).to.include({ code: 'ECONNREFUSED' })
    const again = await bound()
    await new Promise<void>((resolve) => again.close(() => resolve()))
    const back = (await import('node:dgram')).createSocket('udp4')
    const answered = new Promise((resolve) => back.once('message', resolve))
    await new Promise<void>((resolve) => back.bind(peer.port, '127.0.0.1', resolve))
    const repeat = setInterval(() => here.udp.post(Buffer.from('2')), 5)
    expect(String(await answered)).to.equal('2')
    clearInterval(repeat)
    back.close()
  })

  it('reports the failure of a datagram that is watched, of no other, and sends the rest', async () => {
    const [here, other] = [await batched(), await batched()]
    for (const [length, watched] of [
      [65_520, true],
      [65_520, false],
      [100, true]
    ] as const) {
      await flushed(here)
      here.udp.slot(length).fill(1)
      here.udp.send(length, other.port, '127.0.0.1', watched)
    }
    await until(() => other.datagrams.length === 1 && here.errors.length > 0, 'the error and the datagram')
    expect(here.errors.map(({ code }) => code)).to.deep.equal(['EMSGSIZE'])
    expect(other.datagrams[0]?.length).to.equal(100)
  })

  it('sends to no name', async () => {
    const here = await batched()
    for (const host of ['', 'localhost', '127.0.0.1 ', '1.2.3', `${'1'.repeat(300)}`, '::1%', '127.0.0.1\0'])
      expect(here.udp.post(Buffer.alloc(1), 9, host), JSON.stringify(host)).to.equal(false)
  })
})
