import { expect } from 'chai'
import { PassThrough, Transform } from 'node:stream'
import { rawOf } from '../src/index.js'
import type { Tap } from '../src/step.js'
import { pattern, turns, until } from './reading.js'
import { tidy } from './sockets.js'
import { type Relayed, relayed, received, sent, ending } from './relayed.js'

afterEach(tidy)

describe('a tap', () => {
  const tapped = (tap: Tap): Promise<Relayed> => relayed({ aToB: { tap } })

  const through = async (tap: Tap, bytes: Buffer): Promise<{ came: Buffer; counted: number }> => {
    const { visitor, service, done } = await tapped(tap)
    const all = received(service)
    service.end()
    visitor.resume()
    await sent(visitor, bytes, 9)
    const came = await all
    return { came, counted: (await done).aToB }
  }

  it('may leave chunks as they are', async () => {
    const bytes = pattern(3 << 20)
    const { came, counted } = await through((chunk) => chunk, bytes)
    expect(came.equals(bytes)).to.equal(true)
    expect(counted).to.equal(bytes.length)
  })

  it('may change them in place', async () => {
    const bytes = pattern(3 << 20)
    const { came } = await through((chunk) => {
      for (let at = 0; at < chunk.length; at += 1) chunk[at] = (chunk[at] as number) ^ 0xff
      return chunk
    }, bytes)
    expect(came.equals(Buffer.from(bytes.map((byte) => byte ^ 0xff)))).to.equal(true)
  })

  it('may drop them, or parts of them, and what was read is counted all the same', async () => {
    const bytes = pattern(1 << 20)
    const { came, counted } = await through(() => Buffer.alloc(0), bytes)
    expect(came.length).to.equal(0)
    expect(counted).to.equal(bytes.length)
    let first = true
    const part = await through((chunk) => {
      const answer = first ? chunk.subarray(1) : chunk
      first = false
      return answer
    }, bytes)
    expect(part.came.equals(bytes.subarray(1))).to.equal(true)
    expect(part.counted).to.equal(bytes.length)
  })

  it('may make them longer', async () => {
    const bytes = pattern(2 << 20)
    const { came, counted } = await through(
      (chunk) => Buffer.concat([chunk, chunk.subarray(0, 0), Buffer.from('+')]),
      bytes
    )
    expect(came.length).to.be.above(bytes.length)
    expect(counted).to.equal(bytes.length)
  })

  it('resets both sides when it throws, whatever it throws', async () => {
    for (const thrown of [new Error('no'), 'just a string', undefined]) {
      const { visitor, service, done } = await tapped(() => {
        throw thrown
      })
      const seen = Promise.all([ending(visitor), ending(service)])
      visitor.write('x')
      expect(await seen).to.deep.equal(['ECONNRESET', 'ECONNRESET'])
      expect((await done).error).to.be.instanceOf(Error)
    }
  })

  it('resets both sides when it answers with something else than bytes', async () => {
    for (const answer of [undefined, 'text', 7, null]) {
      const { visitor, service, done } = await tapped(() => answer as never)
      const seen = Promise.all([ending(visitor), ending(service)])
      visitor.write('x')
      expect(await seen).to.deep.equal(['ECONNRESET', 'ECONNRESET'])
      expect((await done).error).to.be.instanceOf(TypeError)
    }
  })
})

describe('a transform in the path', () => {
  const delaying = (ms: number): Transform =>
    new Transform({
      transform(chunk, _encoding, done) {
        setTimeout(() => done(null, chunk), ms)
      },
      flush(done) {
        setTimeout(done, ms)
      }
    })

  it('passes all through, in both directions, several in a row', async () => {
    const { visitor, service, done } = await relayed({
      aToB: { through: [rawOf(new PassThrough()), rawOf(new PassThrough())] },
      bToA: { through: [rawOf(new PassThrough())] }
    })
    const [up, down] = [pattern(3 << 20, 1), pattern(3 << 20, 2)]
    const [atService, atVisitor] = await Promise.all([
      received(service),
      received(visitor),
      sent(visitor, up, 3),
      sent(service, down, 4)
    ])
    expect(atService.equals(up)).to.equal(true)
    expect(atVisitor.equals(down)).to.equal(true)
    expect(await done).to.deep.equal({ aToB: up.length, bToA: down.length, error: undefined })
  })

  it('may delay, also the end, also when the other direction is long over', async () => {
    const { visitor, service, done } = await relayed({ aToB: { through: [rawOf(delaying(20))] } })
    service.end()
    visitor.resume()
    await until(() => visitor.readableEnded, 'the service has ended')
    visitor.end('late')
    expect(String(await received(service))).to.equal('late')
    expect((await done).error).to.equal(undefined)
  })

  it('holds back a visitor by not taking more', async () => {
    const stuck = new Transform({ transform() {} })
    const { visitor, pump: running } = await relayed({ aToB: { through: [rawOf(stuck)] } })
    visitor.write(Buffer.alloc(32 << 20))
    await turns(60)
    expect(running.aToB).to.be.below(4 << 20)
    running.reset()
  })

  it('resets both sides when it fails', async () => {
    const failing = new Transform({
      transform(_chunk, _encoding, done) {
        done(new Error('not this'))
      }
    })
    const { visitor, service, done } = await relayed({ aToB: { through: [rawOf(failing)] } })
    const seen = Promise.all([ending(visitor), ending(service)])
    visitor.write('x')
    expect(await seen).to.deep.equal(['ECONNRESET', 'ECONNRESET'])
    expect((await done).error?.message).to.equal('not this')
  })

  it('resets both sides when it was destroyed before', async () => {
    const dead = new PassThrough()
    const raw = rawOf(dead)
    dead.destroy()
    await until(() => raw.closed, 'it is closed')
    const { visitor, service, done } = await relayed({ bToA: { through: [raw] } })
    const seen = Promise.all([ending(visitor), ending(service)])
    expect(await seen).to.deep.equal(['ECONNRESET', 'ECONNRESET'])
    expect((await done).error).to.be.instanceOf(Error)
  })

  it('is destroyed with the stream', async () => {
    const between = new PassThrough()
    const { visitor, done } = await relayed({ aToB: { through: [rawOf(between)] } })
    visitor.resetAndDestroy()
    await done
    expect(between.destroyed).to.equal(true)
  })
})
