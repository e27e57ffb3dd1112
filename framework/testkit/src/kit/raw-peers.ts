import type { Address } from '@rystra/plugin'
import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import { ownStream } from './link-end.js'
import { pattern } from './pattern.js'
import type { Scope } from './scope.js'
import { turns } from '../until.js'
import type { TransportWorld } from './transport-world.js'
import { quiet } from './streams.js'

/** A connection that does not speak the transport. */
interface RawPeer {
  say(bytes: Buffer): void
  /** Leaves, cleanly or not. */
  leave(rudely: boolean): void
}

const overStream = (stream: Duplex): RawPeer => ({
  say: (bytes) => void quiet(stream).resume().write(bytes),
  leave: (rudely) => void (rudely ? stream.destroy() : stream.end())
})

const overUdp = async (scope: Scope, { host, port }: Address): Promise<RawPeer> => {
  const socket = dgram.createSocket('udp4').on('error', () => {})
  let over = false
  let sending = 0
  const close = (): void => {
    if (!over) socket.close()
    over = true
  }
  scope.defer(close)
  return {
    say: (bytes) => {
      sending++
      socket.send(bytes.subarray(0, 1_400), port, host, () => {
        sending--
      })
    },
    leave: (rudely) => {
      if (rudely || sending === 0) close()
      else setImmediate(close)
    }
  }
}

const rawPeer = async (world: TransportWorld, to: Address): Promise<RawPeer> => {
  const { subject, scope } = world
  const { network = 'tcp' } = subject
  if (subject.connectRaw === undefined && network === 'udp') return overUdp(scope, to)
  let stream: Duplex
  if (subject.connectRaw !== undefined) stream = await subject.connectRaw(to)
  else if (network === 'other') stream = await ownStream(await world.dial(to))
  else {
    stream = net.connect({ ...to, allowHalfOpen: true })
    quiet(stream)
    await scope.wait(once(stream, 'connect'), 'a rawPeer to be connected')
  }
  scope.defer(() => stream.destroy())
  return overStream(quiet(stream))
}

const request = Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: rawPeer\r\n\r\n')
/** Looks as TLS and QUIC do at first sight. */
const openings = [Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), Buffer.from([0xc0, 0, 0, 0, 1, 8, 1, 2, 3, 4])]

/** What raw peers do, by the name of it. Each comes many times. */
export const manners = {
  'send garbage': (one: RawPeer, turn: number) => {
    const opening = openings[turn % openings.length] as Buffer
    one.say(turn % 3 === 0 ? pattern(turn, 1_300) : Buffer.concat([opening, pattern(turn, 40 * turn)]))
    if (turn % 4 !== 0) one.leave(turn % 4 === 1)
  },
  'speak HTTP': (one: RawPeer, turn: number) => {
    one.say(request)
    if (turn % 2 === 0) one.leave(false)
  },
  'send nothing': () => {},
  'leave at once': (one: RawPeer, turn: number) => {
    if (turn % 3 === 0) one.say(Buffer.from([0x16]))
    one.leave(turn % 2 === 0)
  }
} as const

/** Many raw peers connect and do one of these things. */
export const connectRawPeers = async (
  world: TransportWorld,
  to: Address,
  manner: keyof typeof manners
): Promise<void> => {
  for (let turn = 0; turn < 30; turn++) manners[manner](await rawPeer(world, to), turn)
  await turns(20)
}
