import type { Address, Published } from '@rystra/plugin'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { quiet } from './streams.js'

/** Gives a stream up so that its peer sees a reset. */
export const giveUp = (stream: Duplex): void => {
  if ('resetAndDestroy' in stream) (stream as Socket).resetAndDestroy()
  else stream.destroy()
}

/** Joins two streams: ends travel as ends, and everything else as a reset. */
export const join = (one: Duplex, other: Duplex): Promise<void> =>
  new Promise((resolve) => {
    const way = (from: Duplex, to: Duplex): void => {
      from.on('error', () => giveUp(to))
      from.on('close', () => {
        if (!from.readableEnded || !from.writableFinished) giveUp(to)
        if (one.closed && other.closed) resolve()
      })
      from.pipe(to)
    }
    way(one, other)
    way(other, one)
  })

/** Of `127.0.0.1:80`. */
export const addressOf = (text: string): Address => {
  const colon = text.lastIndexOf(':')
  return { host: colon < 0 ? '127.0.0.1' : text.slice(0, colon), port: Number(text.slice(colon + 1)) }
}

/** A visitor by TCP. */
export const connectTo = async ({ address }: Published): Promise<Duplex> => {
  const socket = quiet(connect({ ...addressOf(address), allowHalfOpen: true }))
  await once(socket, 'connect')
  return socket
}
