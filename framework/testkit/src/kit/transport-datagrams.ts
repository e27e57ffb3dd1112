import type { DatagramChannel } from '@rystra/plugin'
import assert from 'node:assert/strict'
import type { LinkEnd } from './link-end.js'
import { muxed } from './linked.js'
import { memoryInUse } from './memory-in-use.js'
import { pattern } from './pattern.js'
import { pause, type Scope } from './scope.js'
import { turns } from '../until.js'
import { carriesWhole } from './stream-checks.js'
import { flood, quiet } from './streams.js'
import { transportCase as it, withDatagrams } from './transport-case.js'

/** What the process may grow by while a channel is flooded with more than twice as much. */
const GROWTH = 32 * 1_048_576

const channelOf = (end: LinkEnd): DatagramChannel => {
  const { datagrams } = muxed(end)
  assert.ok(datagrams !== undefined, 'the link has no channel for messages')
  return datagrams
}

/** A message that tells its size by its length, and is right only as a whole. */
const message = (size: number): Buffer => pattern(size * 3, size)

/** Counts what arrives by size; each has to be as it was sent. */
class Messages {
  readonly bySize = new Map<number, number>()
  count = 0
  broken: string | undefined

  constructor(channel: DatagramChannel) {
    channel.onMessage = (came) => {
      const bytes = Buffer.from(came)
      this.count++
      this.bySize.set(bytes.length, (this.bySize.get(bytes.length) ?? 0) + 1)
      if (!bytes.equals(message(bytes.length))) this.broken ??= `a message of ${bytes.length} bytes is another one`
    }
  }

  /** Sends one until it has arrived: any may be lost on the way. */
  async comes(scope: Scope, from: DatagramChannel, size: number): Promise<void> {
    const has = (): boolean => (this.bySize.get(size) ?? 0) > 0
    const end = performance.now() + scope.timeout
    while (!has() && performance.now() < end) {
      from.send(message(size))
      for (let turn = 0; turn < 20 && !has(); turn++) await turns(1)
      if (!has()) await pause(2)
    }
    this.check()
    assert.ok(has(), `no message of ${size} bytes arrived`)
  }

  check(): void {
    assert.equal(this.broken, undefined, this.broken)
  }
}

/** From one byte to the most that fits now. */
const sizesOf = ({ maxSize }: DatagramChannel): number[] => [1, 2, 15, 100, 999, 1_000, maxSize - 1, maxSize]

/** What transports with messages beside the streams must do. Messages may be lost, and overtake each other. */
export const datagramCases = [
  it(
    'says how large a message may be',
    async (world) => {
      const linked = await world.linked()
      for (const end of [linked.server, linked.client]) {
        const { maxSize } = channelOf(end)
        const sane = Number.isInteger(maxSize) && maxSize > 1_000 && maxSize < 65_536
        assert.ok(sane, `a message may have ${maxSize} bytes on loopback`)
      }
    },
    withDatagrams
  ),
  ...(['client', 'server'] as const).map((side) =>
    it(
      `keeps messages of all sizes whole that the ${side} sends`,
      async (world, scope) => {
        const linked = await world.linked()
        const from = channelOf(linked.end(side))
        const came = new Messages(channelOf(side === 'client' ? linked.server : linked.client))
        // more may fit later, when the path is known
        const sizes = sizesOf(from)
        for (const size of sizes) await came.comes(scope, from, size)
        // an empty one may come or not
        from.send(Buffer.alloc(0))
        for (const size of sizes) from.send(message(size))
        await carriesWhole(scope, await linked.open(), 10_000)
        came.check()
        for (const size of came.bySize.keys()) {
          assert.ok(size === 0 || sizes.includes(size), `a message of ${size} bytes came that was not sent`)
        }
      },
      withDatagrams
    )
  ),
  it(
    'takes no message that is too large, and goes on',
    async (world, scope) => {
      const linked = await world.linked()
      const from = channelOf(linked.client)
      const came = new Messages(channelOf(linked.server))
      for (const size of [from.maxSize + 1, 65_536, 1_000_000]) {
        assert.equal(from.send(Buffer.alloc(size)), false, `send() took a message of ${size} bytes`)
      }
      await came.comes(scope, from, 100)
      await carriesWhole(scope, await linked.open('client'), 10_000)
      assert.deepEqual(
        [...came.bySize.keys()].filter((size) => size > from.maxSize),
        [],
        'one that is too large came'
      )
    },
    withDatagrams
  ),
  it(
    'drops messages that are not taken',
    async (world, scope) => {
      const linked = await world.linked()
      const [from, to] = [channelOf(linked.client), channelOf(linked.server)]
      to.onMessage = undefined
      const sent = 200
      for (let count = 0; count < sent; count++) {
        from.send(message(500))
        if (count % 10 === 0) await turns(1)
      }
      // all that was on its way is there before a stream has gone there and back
      await carriesWhole(scope, await linked.open('client'), 100_000)
      await pause(20)
      const late = new Messages(to)
      await late.comes(scope, from, 100)
      await pause(10)
      const kept = late.bySize.get(500) ?? 0
      assert.ok(kept < sent / 4, `${kept} of ${sent} messages were kept until they were taken`)
    },
    withDatagrams
  ),
  it(
    'keeps little when it is flooded with messages',
    async (world, scope) => {
      const linked = await world.linked()
      const from = channelOf(linked.client)
      const flooded = message(1_000)
      const count = Math.ceil((2.5 * GROWTH) / flooded.length)
      const sendAll = (): number => {
        let refused = 0
        for (let index = 0; index < count; index++) if (!from.send(flooded)) refused++
        return refused
      }
      // The second flood is measured: what the process had free, and what a flood needs for a moment, counts in the first.
      sendAll()
      await carriesWhole(scope, await linked.open('client'), 100_000)
      const before = memoryInUse()
      const refused = sendAll()
      const now = memoryInUse()
      // What is kept outside of the heap of V8 shows in the resident memory alone.
      const grown = Math.max(now.resident - before.resident, now.heap - before.heap)
      assert.ok(
        grown < GROWTH,
        `the process grew by ${grown} bytes for ${count} messages, of which ${refused} were refused`
      )
      const came = new Messages(channelOf(linked.server))
      await carriesWhole(scope, await linked.open('client'), 100_000)
      await came.comes(scope, from, 100)
    },
    { ...withDatagrams, alone: true }
  ),
  it(
    'carries streams and messages beside each other',
    async (world, scope) => {
      const linked = await world.linked()
      const [client, server] = [channelOf(linked.client), channelOf(linked.server)]
      const came = [new Messages(client), new Messages(server)]
      let over = false
      const whole = carriesWhole(scope, await linked.open('server'), 4 * 1_048_576).finally(() => {
        over = true
      })
      whole.catch(() => {})
      while (!over) {
        for (const size of [10, 500, 1_000]) for (const channel of [client, server]) channel.send(message(size))
        await turns(1)
      }
      await whole
      for (const box of came) {
        box.check()
        assert.ok(box.count > 0, 'no message arrived alongside the stream')
      }
    },
    withDatagrams
  ),
  it(
    'carries messages while a stream is held back',
    async (world, scope) => {
      const linked = await world.linked()
      const [near] = await linked.open('client')
      const state = flood(quiet(near), 0, linked.maxBuffered)
      await scope.still(() => state.taken)
      const [client, server] = [channelOf(linked.client), channelOf(linked.server)]
      await new Messages(server).comes(scope, client, 700)
      await new Messages(client).comes(scope, server, 700)
    },
    withDatagrams
  ),
  it(
    'takes no message once the link is closed',
    async (world, scope) => {
      const linked = await world.linked()
      const ends = [linked.client, linked.server]
      const channels = ends.map(channelOf)
      muxed(linked.client).close()
      await scope.until(() => ends.every(({ closes }) => closes > 0), 'both ends to be told of the close')
      for (const channel of channels)
        assert.equal(channel.send(Buffer.from('late')), false, 'send() took it all the same')
    },
    withDatagrams
  )
]
