import { isRystraError } from '@rystra/plugin'
import assert from 'node:assert/strict'
import { bothReported, countsNone, linkCheck as check, muxed, other, sides } from './linked.js'
import { pattern } from './pattern.js'
import type { Scope } from './scope.js'
import { turns } from '../until.js'
import { answersLate, carriesWhole, closesCleanly, showsReset } from './stream-checks.js'
import { Inbox, quiet, send } from './streams.js'

/** More than any window or buffer that a stream begins with. */
const QUEUED_BYTES = 1_000_000

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

const endings = [
  ...sides.map((side) =>
    check(`lets the ${side} answer long after the other has ended`, async (linked, scope) => {
      await answersLate(scope, await linked.open(other[side]))
    })
  ),
  check('closes streams without an error when both ends are done', async (linked, scope) => {
    await closesCleanly(scope, await linked.open())
    await countsNone(linked)
  }),
  check('shows a reset by the end that opened the stream as a reset', async (linked, scope) => {
    await showsReset(scope, await linked.open())
    await countsNone(linked)
  }),
  check('shows a reset by the end that took the stream as a reset', async (linked, scope) => {
    const [near, far] = await linked.open()
    await showsReset(scope, [far, near])
    await countsNone(linked)
  }),
  check('shows a destroy without an error as a reset', async (linked, scope) => {
    const [near, far] = await linked.open()
    const box = new Inbox(far, 0)
    near.destroy()
    await box.cameReset(scope, 'the other end')
  }),
  check('resets one stream and no other', async (linked, scope) => {
    const ends = await linked.open()
    await showsReset(scope, await linked.open())
    await showsReset(scope, await linked.open('client'))
    await carriesWhole(scope, ends, 100_000)
  }),
  check('forgets streams that are over', async (linked, scope) => {
    for (let index = 0; index < 200; index++) {
      const [near, far] = await linked.open(sides[index % 2])
      if (index % 3 === 0) near.destroy()
      else {
        near.resume().end()
        far.resume().end()
      }
      if (index % 50 === 0) await scope.until(() => near.closed, 'a stream to close')
    }
    await countsNone(linked)
  })
]

const closing = [
  ...sides.map((side) =>
    check(`lets open streams go on when the ${side} goes away, and opens no more`, async (linked, scope) => {
      const ends = await linked.open(other[side])
      muxed(linked.end(side)).goAway()
      const from = muxed(linked.end(other[side]))
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
      assert.deepEqual([linked.server.closes, linked.client.closes], [0, 0], 'going away closed the link')
    })
  ),
  check('opens nothing on a link that was closed', async (linked, scope) => {
    await carriesWhole(scope, await linked.open(), 10)
    muxed(linked.server).close()
    await failsWith(scope, muxed(linked.server).open(), ['mux.closed'], 'open() after close()')
    await scope.until(() => linked.client.closes > 0, 'the other end to be told')
    await failsWith(scope, muxed(linked.client).open(), ['mux.closed'], 'open() after the other side closed')
  }),
  check('sends what is queued before it closes', async (linked, scope) => {
    const [near, far] = await linked.open()
    const [atNear, box] = [new Inbox(near, 0), new Inbox(far, 0)]
    far.end()
    await atNear.cameWhole(scope, 0, 'the near end')
    send(near, 0, 10_000)
    muxed(linked.server).close()
    await box.cameWhole(scope, 10_000, 'the far end')
    await bothReported(linked)
    await turns(20)
    assert.deepEqual([linked.server.closes, linked.client.closes], [1, 1], 'onClose has to be called once')
    assert.deepEqual([linked.server.error, linked.client.error], [undefined, undefined], 'a clean close gave an error')
  }),
  check('sends what waits for the peer before it closes', async (linked, scope) => {
    const [near, far] = await linked.open()
    const [atNear, box] = [new Inbox(near, 0), new Inbox(far, 0, { reading: false })]
    far.end()
    await atNear.cameWhole(scope, 0, 'the near end')
    near.end(pattern(0, QUEUED_BYTES))
    muxed(linked.server).close()
    await turns(20)
    await box.read().cameWhole(scope, QUEUED_BYTES, 'the far end')
    await bothReported(linked)
    for (const side of sides) assert.equal(linked.end(side).error, undefined, 'a clean close gave an error')
  }),
  check('sends what waits on a stream that its peer has not ended before it closes', async (linked, scope) => {
    const [near, far] = await linked.open()
    const [atNear, box] = [new Inbox(near, 0), new Inbox(far, 0, { reading: false })]
    near.end(pattern(0, QUEUED_BYTES))
    muxed(linked.server).close()
    await turns(20)
    await box.read().cameWhole(scope, QUEUED_BYTES, 'the far end')
    far.end()
    await bothReported(linked)
    await scope.until(() => atNear.closed, 'the stream to close at the end that closed the link')
  }),
  check('resets open streams when it closes', async (linked, scope) => {
    const [near, far] = (await linked.open()).map((stream) => new Inbox(stream, 0)) as [Inbox, Inbox]
    muxed(linked.server).close()
    await Promise.all([near.wasGivenUp(scope, 'the end that closed'), far.wasGivenUp(scope, 'the other end')])
    await bothReported(linked)
  }),
  check('resets open streams at once when it is destroyed', async (linked, scope) => {
    const [near, far] = (await linked.open()).map((stream) => new Inbox(stream, 0)) as [Inbox, Inbox]
    muxed(linked.server).destroy(new Error('enough'))
    await Promise.all([near.wasGivenUp(scope, 'the end that destroyed it'), far.wasGivenUp(scope, 'the other end')])
    await bothReported(linked)
    assert.equal(linked.server.error?.message.includes('enough'), true, `onClose was given ${linked.server.error}`)
  }),
  check(
    'resets all streams and says so once when its link is cut',
    async (linked, scope) => {
      const ends = [...(await linked.open()), ...(await linked.open('client'))]
      const boxes = ends.map((stream) => new Inbox(stream, 0))
      linked.cut()
      await Promise.all(boxes.map((box) => box.wasGivenUp(scope, 'a stream')))
      await bothReported(linked)
      await turns(20)
      assert.deepEqual([linked.server.closes, linked.client.closes], [1, 1], 'onClose has to be called once')
      for (const side of sides) assert.ok(linked.end(side).error !== undefined, `the ${side} was not told why`)
      await failsWith(scope, muxed(linked.server).open(), ['mux.closed'], 'open() on a link that was cut')
    },
    { cuts: true }
  ),
  check(
    'has no stream left when it says that it is closed',
    async (linked, scope) => {
      for (const side of sides) quiet((await linked.open(side))[0])
      const left: number[] = []
      for (const side of sides) {
        const link = muxed(linked.end(side))
        link.onClose = () => void left.push(link.streams)
      }
      linked.cut()
      await scope.until(() => left.length === 2, 'both ends to be told')
      assert.deepEqual(left, [0, 0], 'streams were open when onClose was called')
    },
    { cuts: true }
  )
]

/** How streams and links end. */
export const endChecks = [...endings, ...closing]
