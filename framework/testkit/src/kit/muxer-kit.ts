import { duplexOf, rawOf } from '@rystra/bytes'
import { isRystraError } from '@rystra/plugin'
import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { delay, split, splitAtRandom, stall } from '../fault/index.js'
import { caseMaker, defineKit, type Kit } from './kit.js'
import { firstByte } from './link-end.js'
import { muxed, type MuxerSubject, MuxerWorld } from './muxer-world.js'
import { pause, type Scope, turns } from './scope.js'
import {
  answersLate,
  carriesPieces,
  carriesWhole,
  closesCleanly,
  holdsBack,
  SIZES,
  showsReset
} from './stream-checks.js'
import { flood, Inbox, quiet, send } from './streams.js'
import { nothingUnhandled } from './unhandled.js'

const it = caseMaker<MuxerSubject, MuxerWorld>(MuxerWorld.of)
const sides = ['server', 'client'] as const
const other = { server: 'client', client: 'server' } as const

const failsWith = async (
  scope: Scope,
  promise: Promise<unknown>,
  codes: readonly string[],
  what: string
): Promise<void> => {
  const error = await scope.wait(promise, `${what} to settle`).then(
    () => undefined,
    (thrown: unknown) => thrown
  )
  assert.ok(error !== undefined, `${what} did not fail`)
  assert.ok(isRystraError(error) && codes.includes(error.code), `${what} failed with ${error} instead of ${codes}`)
}

/** Nothing is open any more, and both ends know. */
const countsNone = (world: MuxerWorld): Promise<void> =>
  world.scope.until(
    () => sides.every((side) => muxed(world.end(side)).streams === 0),
    `both ends to count no streams, they count ${sides.map((side) => muxed(world.end(side)).streams).join(' and ')}`
  )

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

const endings = [
  ...sides.map((side) =>
    it(`lets the ${side} answer long after the other has ended`, async (world, scope) => {
      await world.wrap()
      await answersLate(scope, await world.open(other[side]))
    })
  ),
  it('closes streams without an error when both ends are done', async (world, scope) => {
    await world.wrap()
    await closesCleanly(scope, await world.open())
    await countsNone(world)
  }),
  it('shows a reset by the end that opened the stream as a reset', async (world, scope) => {
    await world.wrap()
    await showsReset(scope, await world.open())
    await countsNone(world)
  }),
  it('shows a reset by the end that took the stream as a reset', async (world, scope) => {
    await world.wrap()
    const [near, far] = await world.open()
    await showsReset(scope, [far, near])
    await countsNone(world)
  }),
  it('shows a destroy without an error as a reset', async (world, scope) => {
    await world.wrap()
    const [near, far] = await world.open()
    const box = new Inbox(far, 0)
    near.destroy()
    await box.cameReset(scope, 'the other end')
  }),
  it('resets one stream and no other', async (world, scope) => {
    await world.wrap()
    const ends = await world.open()
    await showsReset(scope, await world.open())
    await showsReset(scope, await world.open('client'))
    await carriesWhole(scope, ends, 100_000)
  }),
  it('forgets streams that are over', async (world, scope) => {
    await world.wrap()
    for (let index = 0; index < 200; index++) {
      const [near, far] = await world.open(sides[index % 2])
      if (index % 3 === 0) near.destroy()
      else {
        near.resume().end()
        far.resume().end()
      }
      if (index % 50 === 0) await scope.until(() => near.closed, 'a stream to close')
    }
    await countsNone(world)
  })
]

const closing = [
  ...sides.map((side) =>
    it(`lets open streams go on when the ${side} goes away, and opens no more`, async (world, scope) => {
      await world.wrap()
      const ends = await world.open(other[side])
      muxed(world.end(side)).goAway()
      const from = muxed(world.end(other[side]))
      let refused: unknown
      const refusal = async (): Promise<void> => {
        while (refused === undefined && !scope.signal.aborted) {
          const stream = await from.open().catch((error: unknown) => {
            refused = error
          })
          if (stream) quiet(stream).destroy()
          await turns(2)
        }
      }
      await scope.wait(refusal(), 'open() to be refused after goAway()')
      assert.ok(
        isRystraError(refused) && refused.code === 'mux.closed',
        `open() failed with ${refused}, not mux.closed`
      )
      await carriesWhole(scope, ends, 300_000)
      assert.deepEqual([world.server.closes, world.client.closes], [0, 0], 'going away closed the link')
    })
  ),
  it('opens nothing on a link that was closed', async (world, scope) => {
    await world.wrap()
    await carriesWhole(scope, await world.open(), 10)
    muxed(world.server).close()
    await failsWith(scope, muxed(world.server).open(), ['mux.closed'], 'open() after close()')
    await scope.until(() => world.client.closes > 0, 'the other end to be told')
    await failsWith(scope, muxed(world.client).open(), ['mux.closed'], 'open() after the other side closed')
  }),
  it('opens nothing when the signal is aborted already', async (world, scope) => {
    await world.wrap()
    const opened = muxed(world.server).open(AbortSignal.abort())
    opened.then(quiet, () => {})
    await assert.rejects(
      scope.wait(opened, 'open() to settle'),
      'open() went on with a signal that was aborted already'
    )
    await countsNone(world)
    await carriesWhole(scope, await world.open(), 1_000)
  }),
  it('sends what is queued before it closes', async (world, scope) => {
    await world.wrap()
    const [near, far] = await world.open()
    const [atNear, box] = [new Inbox(near, 0), new Inbox(far, 0)]
    far.end()
    await atNear.cameWhole(scope, 0, 'the near end')
    send(near, 0, 10_000)
    muxed(world.server).close()
    await box.cameWhole(scope, 10_000, 'the far end')
    await scope.until(() => world.server.closes > 0 && world.client.closes > 0, 'both ends to be told of the close')
    await turns(20)
    assert.deepEqual([world.server.closes, world.client.closes], [1, 1], 'onClose has to be called once')
    assert.deepEqual(
      [world.server.error, world.client.error],
      [undefined, undefined],
      'a close in good order gave an error'
    )
  }),
  it('resets open streams when it closes', async (world, scope) => {
    await world.wrap()
    const [near, far] = (await world.open()).map((stream) => new Inbox(stream, 0)) as [Inbox, Inbox]
    muxed(world.server).close()
    await Promise.all([near.wasGivenUp(scope, 'the end that closed'), far.wasGivenUp(scope, 'the other end')])
    await scope.until(() => world.server.closes > 0 && world.client.closes > 0, 'both ends to be told of the close')
  }),
  it('resets open streams at once when it is destroyed', async (world, scope) => {
    await world.wrap()
    const [near, far] = (await world.open()).map((stream) => new Inbox(stream, 0)) as [Inbox, Inbox]
    muxed(world.server).destroy(new Error('enough'))
    await Promise.all([near.wasGivenUp(scope, 'the end that destroyed it'), far.wasGivenUp(scope, 'the other end')])
    await scope.until(() => world.server.closes > 0 && world.client.closes > 0, 'both ends to be told')
    assert.equal(world.server.error?.message.includes('enough'), true, `onClose was given ${world.server.error}`)
  }),
  it('resets all streams and says so once when its link is cut', async (world, scope) => {
    await world.wrap()
    const ends = [...(await world.open()), ...(await world.open('client'))]
    const boxes = ends.map((stream) => new Inbox(stream, 0))
    world.lines.client.destroy(new Error('cable'))
    await Promise.all(boxes.map((box) => box.wasGivenUp(scope, 'a stream')))
    await scope.until(() => world.server.closes > 0 && world.client.closes > 0, 'both ends to be told')
    await turns(20)
    assert.deepEqual([world.server.closes, world.client.closes], [1, 1], 'onClose has to be called once')
    for (const side of sides) assert.ok(world.end(side).error !== undefined, `the ${side} was not told why`)
    await failsWith(scope, muxed(world.server).open(), ['mux.closed'], 'open() on a link that was cut')
  }),
  it('has no stream left when it says that it is closed', async (world, scope) => {
    await world.wrap()
    for (const side of sides) quiet((await world.open(side))[0])
    const left: number[] = []
    for (const side of sides) {
      const link = muxed(world.end(side))
      link.onClose = () => void left.push(link.streams)
    }
    world.lines.client.destroy(new Error('cable'))
    await scope.until(() => left.length === 2, 'both ends to be told')
    assert.deepEqual(left, [0, 0], 'streams were open when onClose was called')
  }),
  it(
    'closes on garbage, and lets nothing escape',
    async (world, scope) => {
      await nothingUnhandled(async () => {
        await world.wrap()
        const boxes = (await world.open()).map((stream) => new Inbox(stream, 0))
        world.lines.client.write(Buffer.alloc(100_000, 0xff))
        await scope.until(() => world.server.closes > 0 && world.client.closes > 0, 'both ends to close on garbage')
        assert.ok(world.server.error !== undefined, 'garbage was taken for a close in good order')
        await Promise.all(boxes.map((box) => box.cameReset(scope, 'a stream')))
        await pause(5)
      })
    },
    { alone: true }
  )
]

/** What every muxer must do, on links within the process. Call it where `describe` may be called. */
export const muxerKit: Kit<MuxerSubject> = defineKit('muxer', [
  ...opening,
  ...transfers,
  ...flow,
  ...lines,
  ...endings,
  ...closing
])
