import { isRystraError } from '@rystra/plugin'
import assert from 'node:assert/strict'
import { caseMaker, defineKit, type Kit } from './kit.js'
import { type LinkEnd, openStream } from './link-end.js'
import { pattern } from './pattern.js'
import { turns } from './scope.js'
import {
  answersLate,
  carriesPieces,
  carriesWhole,
  closesCleanly,
  holdsBack,
  SIZES,
  showsReset
} from './stream-checks.js'
import { Inbox, quiet, send } from './streams.js'
import { type TransportSubject, TransportWorld } from './transport-world.js'
import { nothingUnhandled } from './unhandled.js'

/** More than the buffers of two kernels and four streams hold. */
const FLOOD = 64 * 1_048_576

const it = caseMaker<TransportSubject, TransportWorld>(TransportWorld.open)

/** Rejects with the code, and soon. */
const rejectsWith = async (promise: Promise<unknown>, code: string, what: string): Promise<void> => {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown
  )
  assert.ok(error !== undefined, `${what} did not fail`)
  assert.ok(isRystraError(error), `${what} failed with something else than a RystraError: ${error}`)
  assert.equal(error.code, code, `${what} failed with ${error.code} instead of ${code}`)
}

const echo = async (end: LinkEnd): Promise<void> => {
  if (end.link.kind === 'bytes') end.link.duplex.pipe(end.link.duplex)
  else for (const stream of end.incoming) stream.pipe(stream)
}

const cases = [
  it('resolves port 0 to the one it listens on', async (world) => {
    const { listener } = await world.listen()
    assert.ok(Number.isInteger(listener.address.port) && listener.address.port > 0, `port ${listener.address.port}`)
    assert.ok(listener.address.host !== '', 'the host is empty')
  }),
  it('makes links that say what they carry and who is there', async (world) => {
    const { client, server } = await world.joined()
    assert.equal(client.link.kind, server.link.kind, 'the two ends of a link are of two kinds')
    for (const { peer } of [client.link, server.link]) {
      assert.ok(typeof peer.address === 'string' && peer.address !== '', `the address of the peer is ${peer.address}`)
      assert.ok(Number.isInteger(peer.port) && peer.port >= 0, `the port of the peer is ${peer.port}`)
    }
  }),
  it('listens on two ports at once', async (world) => {
    const [one, two] = [await world.listen(), await world.listen()]
    assert.notEqual(one.listener.address.port, two.listener.address.port)
    await world.join(two)
    assert.deepEqual([one.links.length, two.links.length], [0, 1], 'the link came to the other listener')
  }),
  ...SIZES.map((size) =>
    it(`carries ${size} bytes each way at once`, async (world, scope) => {
      const { near, far } = await world.joined()
      await carriesWhole(scope, [near, far], size)
    })
  ),
  it('carries bytes that are written in pieces of all sizes', async (world, scope) => {
    const { near, far } = await world.joined()
    await carriesPieces(scope, [near, far], 11)
  }),
  it('lets the end that dialed answer long after the other has ended', async (world, scope) => {
    const { near, far } = await world.joined()
    await answersLate(scope, [far, near])
  }),
  it('lets the end that listened answer long after the other has ended', async (world, scope) => {
    const { near, far } = await world.joined()
    await answersLate(scope, [near, far])
  }),
  it('closes without an error when both ends are done', async (world, scope) => {
    const { near, far } = await world.joined()
    await closesCleanly(scope, [near, far])
  }),
  it('shows a reset by the end that dialed as a reset', async (world, scope) => {
    const { near, far } = await world.joined()
    await showsReset(scope, [near, far])
  }),
  it('shows a reset by the end that listened as a reset', async (world, scope) => {
    const { near, far } = await world.joined()
    await showsReset(scope, [far, near])
  }),
  it('holds the end that dialed back when nobody reads', async (world, scope) => {
    const { near, far } = await world.joined()
    await holdsBack(scope, [near, far], FLOOD)
  }),
  it('holds the end that listened back when nobody reads', async (world, scope) => {
    const { near, far } = await world.joined()
    await holdsBack(scope, [far, near], FLOOD)
  }),
  it('keeps bytes that came before anybody read', async (world, scope) => {
    const { near, far } = await world.joined()
    send(near, 4, 1_000)
    await turns(50)
    await new Inbox(far, 4).cameWhole(scope, 1_000, 'the reader that came late')
  }),
  it('carries many links at once', async (world, scope) => {
    const listening = await world.listen()
    const { address } = listening.listener
    const ends = await Promise.all(Array.from({ length: 100 }, () => world.dial(address)))
    const streams = await Promise.all(
      ends.map(async ({ link }) => (link.kind === 'bytes' ? link.duplex : quiet(await link.open())))
    )
    const boxes = streams.map((stream, index) => new Inbox(stream, index * 100))
    for (const [index, stream] of streams.entries()) send(stream, index * 100, 20_000)
    await scope.until(
      () =>
        listening.links.length === 100 &&
        listening.links.every(({ link, incoming }) => link.kind === 'bytes' || incoming.length > 0),
      'all links at the listener'
    )
    for (const end of listening.links) void echo(end)
    await Promise.all(boxes.map((box, index) => box.cameWhole(scope, 20_000, `link ${index}`)))
  }),
  it('refuses a dial where nobody listens', async (world, scope) => {
    const { listener } = await world.listen()
    await scope.wait(listener.close(), 'close()')
    await rejectsWith(world.dialInVain(listener.address), 'connect.unreachable', 'dial()')
  }),
  it('refuses an address that is in use', async (world, scope) => {
    const first = await world.listen()
    const again = world.server.listen(
      world.listenOptions(first.listener.address.port),
      () => {},
      scope.signal,
      world.host
    )
    await rejectsWith(scope.wait(again, 'the refusal'), 'listen.in-use', 'the second listen()')
    await world.join(first)
  }),
  it('frees its address when it is closed', async (world, scope) => {
    const { listener } = await world.listen()
    await scope.wait(listener.close(), 'close()')
    const again = await world.listen(listener.address.port)
    await world.join(again)
  }),
  it('lets links go on when the listener is closed', async (world, scope) => {
    const listening = await world.listen()
    const { near, far } = await world.join(listening)
    await scope.wait(listening.listener.close(), 'close() while a link is up')
    await carriesWhole(scope, [near, far], 10_000)
  }),
  it('may be closed twice', async (world, scope) => {
    const { listener } = await world.listen()
    await scope.wait(Promise.all([listener.close(), listener.close()]), 'two calls of close()')
    await scope.wait(listener.close(), 'a third close()')
  }),
  it('stops listening when its signal is aborted', async (world) => {
    const over = new AbortController()
    const { listener } = await world.listen(0, over.signal)
    over.abort()
    await turns(20)
    await rejectsWith(world.dialInVain(listener.address), 'connect.unreachable', 'dial() after the abort')
  }),
  it('does not listen when its signal is aborted already', async (world, scope) => {
    const listening = world.server.listen(world.listenOptions(), () => {}, AbortSignal.abort(), world.host)
    scope.defer(async () => (await listening).close())
    await scope.wait(Promise.allSettled([listening]), 'listen() to settle')
    const address = await listening.then(
      ({ address }) => address,
      () => undefined
    )
    if (address === undefined) return
    await rejectsWith(world.dialInVain(address), 'connect.unreachable', 'dial() to what was aborted')
  }),
  it('gives a dial up when its signal is aborted', async (world, scope) => {
    const listening = await world.listen()
    const { address } = listening.listener
    const before = world.dialInVain(address, AbortSignal.abort())
    await assert.rejects(before, 'dial() went on with a signal that was aborted already')
    const over = new AbortController()
    const during = world.dialInVain(address, over.signal)
    over.abort()
    await assert.rejects(during, 'dial() went on though its signal was aborted')
    await turns(20)
    await scope.until(() => listening.links.every(reading), 'the links of dials that were given up to go')
  }),
  it('keeps a link whose dial is done when the signal is aborted', async (world, scope) => {
    const listening = await world.listen()
    const over = new AbortController()
    const client = await world.dial(listening.listener.address, over.signal)
    await scope.until(() => listening.links.length === 1, 'the link at the listener')
    over.abort()
    await turns(20)
    const ends = await openStream(scope, client, listening.links[0] as LinkEnd)
    await carriesWhole(scope, ends, 1_000)
  }),
  it('is not disturbed by strangers', async (world, scope) => {
    const listening = await world.listen()
    const { near, far } = await world.join(listening)
    const { address } = listening.listener
    for (let turn = 0; turn < 30; turn++) {
      const stranger = await strangerTo(world, address)
      if (turn % 3 === 0) stranger.write(pattern(turn, 1_000), () => stranger.destroy())
      else if (turn % 3 === 1) stranger.destroy()
      else stranger.end(pattern(turn, 10))
      stranger.resume()
      scope.defer(() => stranger.destroy())
    }
    await turns(20)
    await carriesWhole(scope, [near, far], 10_000)
    const { address: after } = listening.listener
    await world.dial(after)
  }),
  it(
    'leaves no error that nobody handles',
    async (world, scope) => {
      await nothingUnhandled(async () => {
        const listening = await world.listen()
        const { address } = listening.listener
        for (let round = 0; round < 10; round++) {
          const over = new AbortController()
          const dialed = world.client.dial(world.dialOptions(address), over.signal)
          if (round % 2 === 0) setImmediate(() => over.abort())
          else over.abort()
          await Promise.allSettled([dialed])
          await dialed.then(
            (link) => (link.kind === 'bytes' ? quiet(link.duplex).destroy() : link.destroy()),
            () => {}
          )
          const end = await world.dial(address)
          end.drop()
        }
        await listening.listener.close()
        await Promise.allSettled([world.client.dial(world.dialOptions(address), scope.signal)])
        await turns(50)
      })
    },
    { alone: true }
  )
]

/** Whether a link is over; one of bytes tells only who reads. */
const reading = (end: LinkEnd): boolean => {
  if (end.link.kind === 'bytes') end.link.duplex.resume()
  return end.over
}

const strangerTo = async (world: TransportWorld, address: { host: string; port: number }) => {
  if (world.subject.stranger !== undefined) return quiet(await world.subject.stranger(address))
  const { link } = await world.dial(address)
  return link.kind === 'bytes' ? link.duplex : quiet(await link.open())
}

/**
 * What every transport must do. Call it where `describe` may be called.
 *
 * @example
 * transportKit({ transport: carrierPigeon({ loft: 'north' }) })
 */
export const transportKit: Kit<TransportSubject> = defineKit('transport', cases)
