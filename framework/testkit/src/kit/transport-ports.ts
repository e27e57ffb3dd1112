import { SharedPorts } from '@rystra/net'
import { isRystraError } from '@rystra/plugin'
import assert from 'node:assert/strict'
import { LinkEnd, openStream } from './link-end.js'
import { resources } from './resources.js'
import { turn } from './scope.js'
import { turns } from '../until.js'
import { carriesWhole } from './stream-checks.js'
import { manners, connectRawPeers } from './raw-peers.js'
import { isOver, transportCase as it } from './transport-case.js'
import { nothingUnhandled } from './unhandled.js'

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

const listening = [
  it('resolves port 0 to the one it listens on', async (world) => {
    const { address } = (await world.listen()).listener
    const { host, port, name } = address
    const named = world.server.addressing === 'name'
    assert.equal(name !== undefined, named, `the name of an address is ${name}`)
    if (named) {
      assert.deepEqual({ host, port }, { host: '', port: 0 }, 'host and port of a name')
      return
    }
    assert.ok(Number.isInteger(port) && port > 0, `port ${port}`)
    assert.ok(host !== '', 'the host is empty')
  }),
  it('listens on two ports at once', async (world) => {
    const [one, two] = [await world.listen(), await world.listen()]
    assert.notDeepEqual(one.listener.address, two.listener.address)
    await world.join(two)
    assert.deepEqual([one.links.length, two.links.length], [0, 1], 'the link came to the other listener')
  }),
  it('refuses a dial to a port without a listener', async (world, scope) => {
    const { listener } = await world.listen()
    await scope.wait(listener.close(), 'close()')
    await rejectsWith(world.tryDial(listener.address), 'connect.unreachable', 'dial()')
  }),
  it('refuses an address that is in use', async (world, scope) => {
    const first = await world.listen()
    const again = world.server.listen(
      world.listenOptions(first.listener.address),
      () => {},
      scope.signal,
      // others may share it only through the host that bound it
      new SharedPorts()
    )
    await rejectsWith(scope.wait(again, 'the refusal'), 'listen.in-use', 'the second listen()')
    await world.join(first)
  }),
  it('frees its address when it is closed', async (world, scope) => {
    const { listener } = await world.listen()
    await scope.wait(listener.close(), 'close()')
    const again = await world.listen(listener.address)
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
    const { listener } = await world.listen(undefined, over.signal)
    over.abort()
    await turns(20)
    await rejectsWith(world.tryDial(listener.address), 'connect.unreachable', 'dial() after the abort')
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
    await rejectsWith(world.tryDial(address), 'connect.unreachable', 'dial() to what was aborted')
  }),
  it('gives a dial up when its signal is aborted', async (world, scope) => {
    const listening = await world.listen()
    const { address } = listening.listener
    const before = world.tryDial(address, AbortSignal.abort())
    await assert.rejects(before, 'dial() continued with a signal that was aborted already')
    const over = new AbortController()
    const during = world.tryDial(address, over.signal)
    over.abort()
    await assert.rejects(during, 'dial() continued though its signal was aborted')
    await turns(20)
    await scope.until(() => listening.links.every(isOver), 'the links of dials that were given up to go')
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
  })
]

const dialing = [
  it('gives a dial up at whatever stage it is', async (world, scope) => {
    const listening = await world.listen()
    const { address } = listening.listener
    for (const count of [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 40]) {
      const giveUp = new AbortController()
      const dialed = world.tryDial(address, giveUp.signal)
      const settled = dialed.then(
        (end) => end.drop(),
        (error: Error) =>
          assert.doesNotMatch(error.message, /waiting for/, `dial() continued, aborted after ${count} turns`)
      )
      await turns(count)
      giveUp.abort()
      await settled
    }
    await scope.until(() => listening.links.every(isOver), 'the links of dials that were given up to go')
    await world.works(listening)
  }),
  it(
    'gives a dial up that is not answered',
    async (world, scope) => {
      const mute = await world.mute()
      const giveUp = new AbortController()
      let settled = false
      const dialed = world.tryDial(mute.address, giveUp.signal).then((end) => {
        settled = true
        end.drop()
      })
      dialed.catch(() => {})
      await scope.until(() => mute.heard > 0 || settled, 'the connection')
      await turns(5)
      const before = settled
      giveUp.abort()
      // who needs no answer is done before
      if (before) return await dialed
      const error = await dialed.catch((thrown: Error) => thrown)
      assert.ok(
        error instanceof Error && !/waiting for/.test(error.message),
        'dial() continued though its signal was aborted'
      )
      if (world.subject.network !== 'udp') await scope.until(() => mute.heard === 0, 'the connection to be closed')
    },
    { applies: ({ network }) => network !== 'other' }
  ),
  it('survives a storm of dials that fail', async (world, scope) => {
    const listening = await world.listen()
    const { address } = listening.listener
    let count = 0
    listening.onLink = (end) => {
      if (count++ % 4 === 0) end.drop()
    }
    for (let wave = 0; wave < 5; wave++) {
      const dials = Array.from({ length: 20 }, async (_, index) => {
        const giveUp = new AbortController()
        if (index % 4 === 1) setImmediate(() => giveUp.abort())
        const end = await world.tryDial(address, giveUp.signal).catch(() => undefined)
        if (index % 4 !== 3) await turn()
        end?.drop()
      })
      await scope.wait(Promise.all(dials), 'a wave of dials')
    }
    await scope.until(() => listening.links.every(isOver), 'the links of the storm to go')
    await world.works(listening)
  }),
  it(
    'leaves nothing open when all is over',
    async (world, scope) => {
      const before = resources()
      const stop = new AbortController()
      const listening = await world.listen(undefined, stop.signal)
      const { address } = listening.listener
      for (let round = 0; round < 5; round++) {
        const end = await world.dial(address)
        const giveUp = new AbortController()
        const dialed = world.tryDial(address, giveUp.signal)
        if (round % 2 === 0) await turn()
        giveUp.abort()
        await dialed.then(
          (late) => late.drop(),
          () => {}
        )
        end.drop()
      }
      await scope.until(() => listening.links.every(isOver), 'all links to go')
      for (const end of listening.links) end.drop()
      stop.abort()
      await scope.wait(listening.listener.close(), 'close()')
      let now = resources()
      const grown = (): string[] =>
        [...now].filter(([type, count]) => count > (before.get(type) ?? 0)).map(([type]) => type)
      await scope
        .until(() => {
          now = resources()
          return grown().length === 0
        }, 'what was opened to be closed')
        .catch((error: Error) => assert.fail(`${error.message}: ${grown()} are left`))
    },
    { alone: true }
  ),
  it(
    'leaves no unhandled error',
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
            (link) => new LinkEnd(link).drop(),
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

const rawPeers = (Object.keys(manners) as (keyof typeof manners)[]).map((manner) =>
  it(`is not disturbed by raw peers that ${manner}`, async (world, scope) => {
    const listening = await world.listen()
    const { near, far } = await world.join(listening)
    await connectRawPeers(world, listening.listener.address, manner)
    await world.works(listening)
    await carriesWhole(scope, [near, far], 10_000)
  })
)

/** How a transport listens and dials. */
export const portCases = [...listening, ...dialing, ...rawPeers]
