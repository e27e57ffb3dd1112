import type { DatagramChannel, StreamLink, Transport } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import { type MemoryStreamLink, MemoryStreamsNetwork, type TransportSubject } from '../../src/index.js'
import type { Mutant } from './mutant.js'

type Side = 'client' | 'server'
/** Properties of a channel, given the right one and its link. */
type Change = (good: DatagramChannel, link: MemoryStreamLink) => Partial<DatagramChannel>

const channelWith = (link: MemoryStreamLink, change: Change): DatagramChannel => {
  const good = link.datagrams as DatagramChannel
  const changes = change(good, link)
  return new Proxy(good, {
    get: (_, key) => {
      if (key in changes) return Reflect.get(changes, key)
      const value = Reflect.get(good, key)
      return typeof value === 'function' ? value.bind(good) : value
    },
    set: (_, key, value) => Reflect.set(key in changes ? changes : good, key, value)
  })
}

const broken = (link: StreamLink, change: Change): StreamLink => {
  const channel = channelWith(link as MemoryStreamLink, change)
  return Object.defineProperty(link, 'datagrams', { value: channel })
}

/** @param sides whose channel is broken */
const mutant = (because: RegExp, change: Change, sides: readonly Side[] = ['client', 'server']) => ({
  because,
  waits: /no message|is another/.test(because.source),
  subject: (): TransportSubject => {
    const good = new MemoryStreamsNetwork()
    const of = (side: Side, link: StreamLink): StreamLink => (sides.includes(side) ? broken(link, change) : link)
    const transport: Transport = {
      name: 'memory-streams',
      listen: (options, onLink, signal) =>
        good.listen(options, (link) => onLink(of('server', link as StreamLink)), signal),
      dial: async (...args) => of('client', await good.dial(...args))
    }
    return { transport: () => transport, links: 'streams', datagrams: true, network: 'other', cut: () => good.cut() }
  }
})

const cutsShort: Change = (good) => ({ send: (message) => good.send(message.subarray(0, 998)) })

/** Keeps what comes until it is taken. */
const keeps: Change = (good) => {
  const kept: Uint8Array[] = []
  let taker: DatagramChannel['onMessage']
  good.onMessage = (message) => (taker === undefined ? kept.push(message) : taker(message))
  return {
    get onMessage() {
      return taker
    },
    set onMessage(next) {
      taker = next
      if (next !== undefined) for (const message of kept.splice(0)) next(message)
    }
  }
}

/** Sends what it is given whenever there is time, and remembers it until then. */
const remembers: Change = (good) => {
  const queue: Buffer[] = []
  return {
    send: (message) => {
      queue.push(Buffer.from(new Uint8Array(message)).fill(message))
      return good.send(message)
    }
  }
}

const behindStreams: Change = (good, link) => {
  const open: Duplex[] = []
  const { open: opens } = link
  link.open = async (signal) => {
    const stream = await opens.call(link, signal)
    open.push(stream)
    return stream
  }
  return { send: (message) => open.some(({ writableNeedDrain }) => writableNeedDrain) || good.send(message) }
}

/** Channels for messages beside the streams. */
export const datagramMutants: Readonly<Record<string, Mutant<TransportSubject>>> = {
  'says how large a message may be': mutant(/a message may have 500 bytes/, () => ({ maxSize: 500 })),
  'keeps messages of all sizes whole that the client sends': mutant(/is another one/, cutsShort, ['client']),
  'keeps messages of all sizes whole that the server sends': mutant(/is another one/, cutsShort, ['server']),
  'takes no message that is too large, and goes on': mutant(/send\(\) took a message/, (good) => ({
    send: (message) => good.send(message) || true
  })),
  'drops messages that are not taken': mutant(/were kept until they were taken/, keeps),
  'keeps little when it is flooded with messages': mutant(/the process grew by/, remembers),
  'carries streams and messages beside each other': mutant(/no message arrived alongside/, (good, link) => ({
    send: (message) => link.streams > 0 || good.send(message)
  })),
  'carries messages while a stream is held back': mutant(/no message of 700 bytes/, behindStreams),
  'takes no message once the link is closed': mutant(/took it all the same/, () => ({ send: () => true }))
}
