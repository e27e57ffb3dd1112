import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { delay, split, splitAtRandom, stall } from '../fault/index.js'
import { defineKit, type Kit } from './kit.js'
import { endChecks } from './link-ends.js'
import { flowChecks } from './link-flow.js'
import { muxed, sides } from './linked.js'
import { type MuxerSubject, muxerCase as it } from './muxer-world.js'
import { pause, type Scope } from './scope.js'
import { turns } from '../until.js'
import { carriesPieces, carriesWhole, holdsBack, SIZES } from './stream-checks.js'
import { Inbox, quiet, send } from './streams.js'
import { nothingUnhandled } from './unhandled.js'

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

/** Reads so many bytes as a handshake does, and puts the rest back for the muxer. */
const greeting = async (scope: Scope, stream: Duplex, length: number): Promise<Buffer> => {
  let came = Buffer.alloc(0)
  const onReadable = (): void => {
    came = Buffer.concat([came, (stream.read() as Buffer | null) ?? Buffer.alloc(0)])
  }
  stream.on('readable', onReadable)
  await scope.until(() => came.length >= length, 'the greeting')
  stream.removeListener('readable', onReadable)
  if (came.length > length) stream.unshift(came.subarray(length))
  return came.subarray(0, length)
}

const flow = [
  it('carries bytes that are written in pieces of all sizes', async (world, scope) => {
    await world.wrap()
    await carriesPieces(scope, await world.open('client'), 3)
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
  ...sides.map((side) =>
    it(`holds the ${side} back while its peer does not read`, async (world, scope) => {
      await world.wrap()
      const [near, far] = await world.open()
      await holdsBack(scope, side === 'server' ? [near, far] : [far, near], world.maxBuffered)
    })
  )
]

const garbage = it(
  'closes on garbage, and lets nothing escape',
  async (world, scope) => {
    await nothingUnhandled(async () => {
      await world.wrap()
      const boxes = (await world.open()).map((stream) => new Inbox(stream, 0))
      world.lines.client.write(Buffer.alloc(100_000, 0xff))
      await scope.until(() => world.server.closes > 0 && world.client.closes > 0, 'both ends to close on garbage')
      assert.ok(world.server.error !== undefined, 'garbage was taken for a clean close')
      await Promise.all(boxes.map((box) => box.cameReset(scope, 'a stream')))
      await pause(5)
    })
  },
  { alone: true }
)

const shared = [...flowChecks, ...endChecks].map(({ name, run }) =>
  it(name, async (world, scope) => run(await world.wrap(), scope))
)

/** What every muxer must do, on links within the process. Call it where `describe` may be called. */
export const muxerKit: Kit<MuxerSubject> = defineKit('muxer', [...transfers, ...flow, ...lines, garbage, ...shared])
