import { type Clock, type Logger, RystraError } from '@rystra/plugin'
import { Bonjour } from 'bonjour-service'
import type { Socket } from 'node:dgram'
import type { EventEmitter } from 'node:events'

/** How packets of mDNS are sent and received. */
export interface ResponderOptions {
  readonly interface?: string
  readonly port: number
  /** In the place of a UDP socket. @default a socket on all addresses */
  readonly socket?: () => Socket
}

/** Packets of the network that are looked at in a second; those of a flood are dropped. */
const MAX_PACKETS = 200
/** Records of one packet: a server sends about five, and the library compares each with each. */
const MAX_RECORDS = 64
const SECOND_MS = 1000

/** An instance of bonjour-service with a socket of its own, and the emitter of its packets. */
export interface Responder {
  readonly bonjour: Bonjour
  /** Rejects when there is no socket: `discovery.unavailable`. */
  readonly ready: Promise<void>
}

/** Of all sections of a packet. */
const records = (packet: object): number =>
  Object.values(packet).reduce((sum: number, section) => sum + (Array.isArray(section) ? section.length : 0), 0)

/**
 * What any host on the network sends is emitted by this emitter, so a listener of the library that throws does so within
 * `emit`: it would end the process.
 */
const guard = (packets: EventEmitter, clock: Clock, log: Logger): void => {
  const emit = packets.emit.bind(packets)
  let second = clock.now()
  let count = 0
  packets.emit = (event: string, ...args: unknown[]): boolean => {
    if (event === 'response' || event === 'query') {
      const now = clock.now()
      if (now < second || now - second >= SECOND_MS) [second, count] = [now, 0]
      if (++count > MAX_PACKETS || records(args[0] as object) > MAX_RECORDS) return false
    }
    try {
      return emit(event, ...args)
    } catch (err) {
      log.debug({ err }, 'a packet of mDNS was not understood')
      return false
    }
  }
}

/**
 * One for each announcement and each search: when one of several services of an instance is taken back, bonjour-service
 * 1.4.4 forgets the pointers to all of them.
 */
export const openResponder = (options: ResponderOptions, clock: Clock, log: Logger): Responder => {
  const { interface: address, port, socket } = options
  const settings = {
    port,
    // A socket on one unicast address gets no multicast.
    bind: '0.0.0.0',
    ...(address === undefined ? {} : { interface: address }),
    ...(socket === undefined ? {} : { socket: socket() })
  }
  const onError = (err: unknown): void => log.debug({ err }, 'an answer by mDNS was not sent')
  const bonjour = new Bonjour(settings as object, onError)
  const packets = (bonjour as unknown as { server: { mdns: EventEmitter } }).server.mdns
  guard(packets, clock, log)
  const ready = new Promise<void>((resolve, reject) => {
    packets.once('ready', resolve)
    packets.on('error', (cause: Error) => {
      reject(new RystraError('discovery.unavailable', { detail: cause.message, cause }))
    })
  })
  packets.on('warning', onError)
  // Only the first failure is waited for.
  ready.catch(() => {})
  return { bonjour, ready }
}
