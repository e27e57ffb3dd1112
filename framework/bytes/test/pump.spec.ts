import { expect } from 'chai'
import { pump, rawOf } from '../src/index.js'
import { onreadWorks } from '../src/onread.js'
import { pattern, turns, until } from './reading.js'
import { socketPairs, tcpPair, tidy } from './sockets.js'
import { relayed, received, sent, sum, ending } from './relayed.js'

afterEach(tidy)

describe('a pump', () => {
  for (const [kind, pair] of Object.entries(socketPairs)) {
    it(`carries 8 MiB each way at once in chunks of all sizes, ${kind} to TCP`, async () => {
      const { visitor, service, done } = await relayed({}, pair)
      const [up, down] = [pattern(8 << 20, 11), pattern((8 << 20) + 1, 12)]
      const [atService, atVisitor] = await Promise.all([
        received(service),
        received(visitor),
        sent(visitor, up, 5),
        sent(service, down, 6)
      ])
      expect(sum(atService)).to.equal(sum(up))
      expect(sum(atVisitor)).to.equal(sum(down))
      expect(await done).to.deep.equal({ aToB: up.length, bToA: down.length, error: undefined })
    })
  }

  it('brings a late answer to a visitor that has ended', async () => {
    const { visitor, service, done } = await relayed()
    const request = received(service)
    visitor.end('request')
    expect(String(await request)).to.equal('request')
    await turns(50)
    const answer = pattern(1 << 20)
    service.end(answer)
    expect((await received(visitor)).equals(answer)).to.equal(true)
    expect((await done).error).to.equal(undefined)
  })

  it('brings what a visitor says late to a service that has ended', async () => {
    const { visitor, service, done } = await relayed()
    const greeting = received(visitor)
    service.end('greeting')
    expect(String(await greeting)).to.equal('greeting')
    await turns(50)
    const late = pattern(1 << 20)
    visitor.end(late)
    expect((await received(service)).equals(late)).to.equal(true)
    expect((await done).error).to.equal(undefined)
  })

  for (const [from, to] of [
    ['visitor', 'service'],
    ['service', 'visitor']
  ] as const) {
    it(`passes a reset of the ${from} on as a reset`, async () => {
      const relay = await relayed()
      const seen = ending(relay[to])
      relay[from].resetAndDestroy()
      expect(await seen).to.equal('ECONNRESET')
      expect((await relay.done).error).to.have.property('code', 'ECONNRESET')
    })

    it(`passes a reset of the ${from} right behind bytes on as a reset`, async () => {
      for (let round = 0; round < 20; round += 1) {
        const relay = await relayed()
        // Through a raw stream: a bare Node socket would take it for an end.
        const far = rawOf(relay[to])
        let ends = 0
        far.read({
          onBytes: () => true,
          onEnd: () => {
            ends += 1
          }
        })
        const closed = new Promise<Error | undefined>((resolve) => {
          far.onClose = resolve
        })
        relay[from].write('half of it')
        relay[from].resetAndDestroy()
        expect(await closed).to.have.property('code', 'ECONNRESET')
        expect(ends, 'clean ends seen').to.equal(0)
        expect((await relay.done).error).to.have.property('code', 'ECONNRESET')
      }
    })

    it(`passes a reset of the ${from} on after the other direction has ended`, async () => {
      const relay = await relayed()
      relay[to].end()
      relay[from].resume()
      await until(() => relay[from].readableEnded, 'the end came')
      const seen = ending(relay[to])
      relay[from].resetAndDestroy()
      expect(await seen).to.equal('ECONNRESET')
      expect((await relay.done).error).to.be.instanceOf(Error)
    })

    it(`takes no more from a ${from} than buffers hold while the other does not read`, async () => {
      const relay = await relayed()
      relay[to].pause()
      const chunk = Buffer.alloc(256 * 1024, 7)
      let taken = 0
      let quiet = 0
      const before = process.memoryUsage()
      while (quiet < 40) {
        if (relay[from].writableLength === 0) {
          relay[from].write(chunk)
          taken += chunk.length
          quiet = 0
        }
        await turns(1)
        quiet += 1
      }
      const now = process.memoryUsage()
      expect(taken, 'bytes taken').to.be.below(32 << 20)
      expect(now.external + now.arrayBuffers - before.external - before.arrayBuffers, 'memory').to.be.below(
        (onreadWorks ? 8 : 32) << 20
      )
      const counted = from === 'visitor' ? relay.pump.aToB : relay.pump.bToA
      expect(counted).to.be.within(1, taken)
      let came = 0
      relay[to].on('data', (bytes: Buffer) => {
        came += bytes.length
      })
      relay[to].resume()
      relay[from].end()
      await until(() => relay[to].readableEnded, 'all came')
      expect(came).to.equal(taken)
    })
  }

  it('closes cleanly when both ends end in the same turn', async () => {
    const { visitor, service, done } = await relayed()
    visitor.resume().end('a')
    service.resume().end('bc')
    expect(await done).to.deep.equal({ aToB: 1, bToA: 2, error: undefined })
  })

  it('closes both when both are reset in the same turn', async () => {
    const { visitor, service, done } = await relayed()
    visitor.resetAndDestroy()
    service.resetAndDestroy()
    expect((await done).error).to.be.instanceOf(Error)
  })

  it('closes both sides when one ends and is reset in the same turn', async () => {
    const { visitor, service, pump: running, done } = await relayed()
    visitor.end()
    await until(() => service.readableLength === 0 && running.aToB === 0, 'nothing')
    running.reset(new Error('no more'))
    expect((await done).error?.message).to.equal('no more')
  })

  it('resets a service whose visitor was gone before', async () => {
    const [a, b] = [await tcpPair(), await tcpPair()]
    const raw = rawOf(a.accepted)
    a.dialed.resetAndDestroy()
    a.accepted.resume()
    await until(() => raw.closed, 'the visitor is gone')
    const seen = ending(b.accepted)
    const error = await new Promise<Error | undefined>((resolve) => {
      pump(raw, rawOf(b.dialed), (_to, _from, failure) => resolve(failure))
    })
    expect(error).to.be.instanceOf(Error)
    expect(await seen).to.equal('ECONNRESET')
  })

  it('says once that it is over, when a stream is closed but its event has not been', async () => {
    const [a, b] = [await tcpPair(), await tcpPair()]
    a.accepted.destroy()
    b.dialed.destroy()
    let calls = 0
    await new Promise<void>((resolve) => {
      process.nextTick(() =>
        pump(rawOf(a.accepted), rawOf(b.dialed), () => {
          calls += 1
          setImmediate(() => setImmediate(resolve))
        })
      )
    })
    expect(calls).to.equal(1)
  })

  it('counts while it runs', async () => {
    const { visitor, service, pump: running } = await relayed()
    service.resume()
    visitor.write('12345')
    await until(() => running.aToB === 5, 'it counted')
    expect(running.bToA).to.equal(0)
  })
})
