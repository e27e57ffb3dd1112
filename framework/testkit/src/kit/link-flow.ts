import { duplexOf, rawOf } from '@rystra/bytes'
import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { firstByte } from './link-end.js'
import { countsNone, linkCheck as check, muxed, other, sides } from './linked.js'
import { turns } from '../until.js'
import { carriesPieces, carriesWhole } from './stream-checks.js'
import { allWhole, flood, Inbox, quiet, send } from './streams.js'

const opening = [
  ...sides.map((side) =>
    check(`carries a stream that the ${side} opens`, async (linked, scope) => {
      await carriesWhole(scope, await linked.open(side), 100)
    })
  ),
  check('refuses streams while no handler takes them', async (linked, scope) => {
    for (const side of sides) {
      const taker = muxed(linked.end(other[side]))
      const take = taker.onStream
      taker.onStream = undefined
      const opened = muxed(linked.end(side)).open()
      // a transport that asks before it opens may reject instead
      const stream = await scope.wait(opened, 'open() to settle').catch(() => undefined)
      if (stream !== undefined) {
        const box = new Inbox(stream, 0)
        stream.write('hello?')
        await box.cameReset(scope, 'the opener of a stream that is not taken')
      }
      await countsNone(linked)
      taker.onStream = take
      await carriesWhole(scope, await linked.open(side), 1_000)
    }
  }),
  check('opens nothing when the signal is aborted already', async (linked, scope) => {
    const opened = muxed(linked.server).open(AbortSignal.abort())
    opened.then(quiet, () => {})
    await assert.rejects(
      scope.wait(opened, 'open() to settle'),
      'open() continued with a signal that was aborted already'
    )
    await countsNone(linked)
    await carriesWhole(scope, await linked.open(), 1_000)
  }),
  check('keeps nothing of streams that are given up while they open', async (linked, scope) => {
    for (const side of sides) {
      for (const count of [0, 1, 2, 5]) {
        const over = new AbortController()
        const opened = muxed(linked.end(side)).open(over.signal)
        const settled = opened.then(
          (stream) => void quiet(stream).destroy(),
          () => {}
        )
        await turns(count)
        over.abort()
        await scope.wait(settled, 'open() to settle')
      }
    }
    await countsNone(linked)
    for (const side of sides) linked.end(side).incoming.splice(0)
    await carriesWhole(scope, await linked.open(), 1_000)
  })
]

const flow = [
  check('carries the same through the raw face of a stream', async (linked, scope) => {
    const near = duplexOf(rawOf(await scope.wait(muxed(linked.server).open(), 'open()')))
    near.write(Buffer.from([0x2a]))
    await scope.until(() => linked.client.incoming.length > 0, 'the stream at the other side')
    const far = duplexOf(rawOf(linked.client.incoming.shift() as Duplex))
    await firstByte(scope, far)
    await carriesPieces(scope, [near, far], 8)
  }),
  check('shows a reset through the raw face as a reset', async (linked, scope) => {
    const [near, far] = await linked.open()
    const box = new Inbox(far, 0)
    const raw = rawOf(near)
    raw.write(Buffer.from('x'), 0, 1, false)
    await scope.until(() => box.length > 0, 'a byte')
    raw.reset()
    await box.cameReset(scope, 'the other end')
  }),
  check('carries many streams at once, each its own bytes', async (linked, scope) => {
    const all = []
    for (let index = 0; index < 60; index++) all.push(await linked.open(sides[index % 2]))
    for (const side of sides) {
      assert.equal(muxed(linked.end(side)).streams, 60, `the count of open streams at the ${side}`)
    }
    await Promise.all(all.map((ends) => carriesWhole(scope, ends, 50_000)))
    await countsNone(linked)
  }),
  check('carries 1000 streams at once, opened by both sides', async (linked, scope) => {
    const { server, client } = linked
    const boxes: Inbox[] = []
    const opened = Array.from({ length: 1_000 }, async (_, index) => {
      const stream = quiet(await muxed(linked.end(sides[index % 2] as 'server')).open())
      boxes[index] = new Inbox(stream, index)
      send(stream, index, 2_000)
    })
    await scope.wait(Promise.all(opened), '1000 streams to be opened')
    await scope.until(() => server.incoming.length + client.incoming.length === 1_000, '1000 streams at the other end')
    for (const stream of [...server.incoming.splice(0), ...client.incoming.splice(0)]) stream.pipe(stream)
    await allWhole(scope, boxes, 2_000, 'stream')
    await countsNone(linked)
  }),
  check('does not let a stalled stream hold up another', async (linked, scope) => {
    const [stalledNear, stalledFar] = await linked.open()
    const box = new Inbox(stalledFar, 0, { reading: false })
    const state = flood(quiet(stalledNear), 0, linked.maxBuffered * 2)
    await scope.still(() => state.taken)
    await carriesWhole(scope, await linked.open(), 1_000_000)
    await carriesWhole(scope, await linked.open('client'), 1_000_000)
    box.read()
    await box.bytesCame(scope, linked.maxBuffered * 2, 'the reader that had stalled')
  }),
  check('keeps little for streams that are not read', async (linked, scope) => {
    const count = 16
    const floods: { readonly taken: number }[] = []
    for (let index = 0; index < count; index++) {
      const [near] = await linked.open()
      floods.push(flood(quiet(near), 0, linked.maxBuffered))
    }
    const taken = (): number => floods.reduce((sum, each) => sum + each.taken, 0)
    await scope.still(taken)
    const limit = (count * linked.maxBuffered) / 4
    assert.ok(taken() < limit, `${taken()} bytes were taken for ${count} readers that do not read`)
  })
]

/** How streams carry bytes, and how little they keep. */
export const flowChecks = [...opening, ...flow]
