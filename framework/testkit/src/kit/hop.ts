import type { Address } from '@rystra/plugin'
import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import type { Scope } from './scope.js'

/** A place on the way between two ends, where bytes can be seen and the way be lost. */
export interface Hop {
  readonly address: Address
  /** Everything is gone from now on: connections are reset; packets are dropped. */
  cut(): void
}

type Seen = (bytes: Buffer) => void

const noSeen: Seen = () => {}

/** A hop for what goes over TCP. */
export const tcpHop = async (scope: Scope, to: Address, seen = noSeen): Promise<Hop> => {
  const sockets = new Set<net.Socket>()
  const hop = net.createServer({ allowHalfOpen: true }, (near) => {
    const far = net.connect({ ...to, allowHalfOpen: true })
    for (const [from, other] of [
      [near, far],
      [far, near]
    ] as const) {
      sockets.add(from)
      from.on('error', () => {})
      from.on('data', seen)
      from.on('close', () => {
        sockets.delete(from)
        if (!from.readableEnded) other.resetAndDestroy()
      })
      from.pipe(other)
    }
  })
  const cut = (): void => {
    hop.close()
    for (const socket of sockets) socket.resetAndDestroy()
  }
  scope.defer(cut)
  hop.listen(0, '127.0.0.1')
  await scope.wait(once(hop, 'listening'), 'a hop of the kit')
  return { address: { host: '127.0.0.1', port: (hop.address() as net.AddressInfo).port }, cut }
}

/** A hop for what goes over UDP. */
export const udpHop = async (scope: Scope, to: Address, seen = noSeen): Promise<Hop> => {
  const front = dgram.createSocket('udp4')
  const backs = new Map<number, dgram.Socket>()
  let lost = false
  const backOf = (port: number): dgram.Socket => {
    const known = backs.get(port)
    if (known !== undefined) return known
    const back = dgram.createSocket('udp4')
    backs.set(port, back)
    back.on('error', () => {})
    back.on('message', (packet) => {
      seen(packet)
      if (!lost) front.send(packet, port, '127.0.0.1')
    })
    return back
  }
  front.on('error', () => {})
  front.on('message', (packet, from) => {
    seen(packet)
    if (!lost) backOf(from.port).send(packet, to.port, to.host)
  })
  scope.defer(() => {
    for (const socket of [front, ...backs.values()]) socket.close()
  })
  front.bind(0, '127.0.0.1')
  await scope.wait(once(front, 'listening'), 'a hop of the kit')
  const cut = (): void => {
    lost = true
  }
  return { address: { host: '127.0.0.1', port: front.address().port }, cut }
}

/** Something that takes connections, or packets, and never says a word. */
export interface Mute {
  readonly address: Address
  /** Connections that are open, or packets that came. */
  readonly heard: number
}

export const tcpMute = async (scope: Scope): Promise<Mute> => {
  const sockets = new Set<net.Socket>()
  const mute = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    socket.resume()
  })
  scope.defer(() => {
    mute.close()
    for (const socket of sockets) socket.destroy()
  })
  mute.listen(0, '127.0.0.1')
  await scope.wait(once(mute, 'listening'), 'a mute listener of the kit')
  return {
    address: { host: '127.0.0.1', port: (mute.address() as net.AddressInfo).port },
    get heard() {
      return sockets.size
    }
  }
}

export const udpMute = async (scope: Scope): Promise<Mute> => {
  const mute = dgram.createSocket('udp4')
  let heard = 0
  mute.on('message', () => heard++)
  scope.defer(() => mute.close())
  mute.bind(0, '127.0.0.1')
  await scope.wait(once(mute, 'listening'), 'a mute listener of the kit')
  return {
    address: { host: '127.0.0.1', port: mute.address().port },
    get heard() {
      return heard
    }
  }
}
