import { duplexOf, rawOf } from '@rystra/bytes'
import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { delay, split, splitAtRandom, stall } from '../fault/index.js'
import { firstByte } from './link-end.js'
import { countsNone, muxerCase as it, muxed, sides } from './muxer-world.js'
import { type Scope, turns } from './scope.js'
import { carriesPieces, carriesWhole, holdsBack, SIZES } from './stream-checks.js'
import { flood, Inbox, quiet, send } from './streams.js'

const opening = sides.map((side) =>
  it(`carries a stream that the ${side} opens`, async (world, scope) => {
    await world.wrap()
    await carriesWhole(scope, await world.open(side), 100)
  })
)

const transfers = SIZES.map((size) =>
  it(`carries ${size} bytes each way at once`, async (world, scope) => {
    await world.wrap()
    await carriesWhole(scope, await world.open(), size)
  })
)

const lines = [
  it('carries a stream over links that are split at every byte', async (world, scope) => {
    await world.wrap({ faults: () => ({ in: [split()], out: [split()] }) })
    await carriesWhole(scope, await world.open('client'), 20_000)
    await carriesWhole(scope, await world.open('server'), 20_000)
  }),
  it('carries a stream over slow links that are split at random', async (world, scope) => {
    let seed = 1
    await world.wrap({
      faults: () => ({
        in: [splitAtRandom(seed++, 3_000), delay(3, { jitter: 3, seed })],
        out: [delay(2), splitAtRandom(seed++, 50)]
      })
    })
    await carriesPieces(scope, await world.open(), 5)
  }),
  it('goes on after its links have stood still', async (world, scope) => {
    const gates = [stall(100_000), stall(100_000)] as const
    await world.wrap({ faults: () => ({ in: [gates[0].fault], out: [gates[1].fault] }) })
    const ends = await world.open()
    const whole = carriesWhole(scope, ends, 1_000_000)
    await Promise.race([
      whole,
      scope.until(() => gates.some(({ passed }) => passed >= 100_000), 'the links to stand still')
    ])
    await turns(50)
    for (const gate of gates) gate.open()
    await whole
  }),
  it('takes over a link that was read from, with what has come already', async (world, scope) => {
    await world.wrap({
      before: async ({ client }) => void client.write('hello'),
      async late() {
        const opened = muxed(world.client).open()
        opened.then(
          (stream) => send(quiet(stream), 0, 1_000),
          () => {}
        )
        await turns(30)
        assert.equal(String(await greeting(scope, world.lines.server, 5)), 'hello')
      }
    })
    await scope.until(() => world.server.incoming.length > 0, 'the stream that was opened before the server was ready')
    await new Inbox(world.server.incoming[0] as Duplex, 0).cameWhole(scope, 1_000, 'the server')
  })
]

/** Reads so many bytes as a handshake does, and puts the rest back for whoever takes the link over. */
const greeting = async (scope: Scope, stream: Duplex, length: number): Promise<Buffer> => {
  let came = Buffer.alloc(0)
  const look = (): void => {
    came = Buffer.concat([came, (stream.read() as Buffer | null) ?? Buffer.alloc(0)])
  }
  stream.on('readable', look)
  await scope.until(() => came.length >= length, 'the greeting')
  stream.removeListener('readable', look)
  if (came.length > length) stream.unshift(came.subarray(length))
  return came.subarray(0, length)
}

const flow = [
  it('carries bytes that are written in pieces of all sizes', async (world, scope) => {
    await world.wrap()
    await carriesPieces(scope, await world.open('client'), 3)
  }),
  it('carries the same through the raw face of a stream', async (world, scope) => {
    await world.wrap()
    const near = duplexOf(rawOf(await scope.wait(muxed(world.server).open(), 'open()')))
    near.write(Buffer.from([0x2a]))
    await scope.until(() => world.client.incoming.length > 0, 'the stream at the other side')
    const far = duplexOf(rawOf(world.client.incoming.shift() as Duplex))
    await firstByte(scope, far)
    await carriesPieces(scope, [near, far], 8)
  }),
  it('shows a reset through the raw face as a reset', async (world, scope) => {
    await world.wrap()
    const [near, far] = await world.open()
    const box = new Inbox(far, 0)
    const raw = rawOf(near)
    raw.write(Buffer.from('x'), 0, 1, false)
    await scope.until(() => box.length > 0, 'a byte')
    raw.reset()
    await box.cameReset(scope, 'the other end')
  }),
  it('carries many streams at once, each its own bytes', async (world, scope) => {
    await world.wrap()
    const all = []
    for (let index = 0; index < 60; index++) all.push(await world.open(sides[index % 2]))
    assert.equal(muxed(world.server).streams, 60, 'the count of open streams at the server')
    await Promise.all(all.map((ends) => carriesWhole(scope, ends, 50_000)))
    await countsNone(world)
  }),
  it('hands streams over in the order in which they were opened', async (world, scope) => {
    await world.wrap()
    for (let index = 0; index < 20; index++) {
      quiet(await scope.wait(muxed(world.server).open(), 'open()')).write(Buffer.from([index]))
    }
    await scope.until(() => world.client.incoming.length === 20, 'all streams at the other side')
    for (const [index, stream] of world.client.incoming.entries()) {
      const box = new Inbox(stream)
      await box.bytesCame(scope, 1, `stream ${index}`)
      assert.equal(box.bytes[0], index, 'streams came in another order')
    }
  }),
  it('does not let a stalled stream hold up another', async (world, scope) => {
    await world.wrap()
    const [stalledNear, stalledFar] = await world.open()
    const box = new Inbox(stalledFar, 0, { reading: false })
    const state = flood(quiet(stalledNear), 0, world.maxBuffered * 2)
    await scope.still(() => state.taken)
    await carriesWhole(scope, await world.open(), 1_000_000)
    await carriesWhole(scope, await world.open('client'), 1_000_000)
    box.read()
    await box.bytesCame(scope, world.maxBuffered * 2, 'the reader that had stalled')
  }),
  ...sides.map((side) =>
    it(`holds the ${side} back when nobody reads`, async (world, scope) => {
      await world.wrap()
      const [near, far] = await world.open()
      await holdsBack(scope, side === 'server' ? [near, far] : [far, near], world.maxBuffered)
    })
  ),
  it('keeps little for streams that nobody takes bytes from', async (world, scope) => {
    await world.wrap()
    const count = 16
    const floods: { readonly taken: number }[] = []
    for (let index = 0; index < count; index++) {
      const [near] = await world.open()
      floods.push(flood(quiet(near), 0, world.maxBuffered))
    }
    const taken = (): number => floods.reduce((sum, each) => sum + each.taken, 0)
    await scope.still(taken)
    assert.ok(
      taken() < (count * world.maxBuffered) / 4,
      `${taken()} bytes were taken for ${count} readers that do not read`
    )
  })
]

/** How streams carry bytes, and how little they keep. */
export const flowCases = [...opening, ...transfers, ...flow, ...lines]
