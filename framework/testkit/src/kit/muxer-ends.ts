import { isRystraError } from '@rystra/plugin'
import assert from 'node:assert/strict'
import { countsNone, muxed, muxerCase as it, sides } from './muxer-world.js'
import { pause, type Scope, turns } from './scope.js'
import { answersLate, carriesWhole, closesCleanly, showsReset } from './stream-checks.js'
import { Inbox, quiet, send } from './streams.js'
import { nothingUnhandled } from './unhandled.js'

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

/** How streams and links end. */
export const endCases = [...endings, ...closing]
