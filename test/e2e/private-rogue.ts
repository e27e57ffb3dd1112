import { once } from 'node:events'
import net from 'node:net'
import authToken from '@rystra/auth-token'
import { Kernel } from '@rystra/kernel'
import { silentLog } from '@rystra/model'
import type { StreamLink } from '@rystra/plugin'
import { dataLinkOpening, encode } from '@rystra/protocol'
import { authenticateToServer } from '@rystra/session'
import type { Server } from '@rystra/server'
import type { Duplex } from 'node:stream'
import { preset, later, portOf, token } from './tunnel.js'
import type { Carrier } from './private-tunnel.js'

/** A client that was admitted, and opens whatever streams it likes. */
export interface RogueVisitor {
  /** A new stream to the server; nothing was said on it. */
  open(): Promise<Duplex>
  /** Ends the session without a word. */
  close(): void
}

const quiet = <Stream extends Duplex>(stream: Stream): Stream => {
  stream.on('error', () => {})
  return stream
}

const peer = { address: '127.0.0.1', port: 0 }

/** Lets itself in over the carrier. Says nothing on its control stream but what keeps a session up. */
export const rogueVisitor = async (carrier: Carrier, server: Server, id = 'rogue'): Promise<RogueVisitor> => {
  const kernel = new Kernel({ side: 'client' })
  await kernel.provision([authToken({ token }), ...preset.slice(0, 3).map((one) => one()), ...(carrier.uses as [])])
  later(() => kernel.stop())
  const { registries } = kernel.current
  const { transport, muxer } = carrier.connect
  const signal = new AbortController().signal
  const link = await registries.transports
    .get(transport)
    .dial({ transport, host: '127.0.0.1', port: portOf(server) }, signal)
  const close = (): void => {
    if (link.kind === 'bytes') link.duplex.destroy()
    else link.destroy()
  }
  later(close)
  const stream = quiet(link.kind === 'bytes' ? link.duplex : await link.open())
  const { ok, secret } = await authenticateToServer(stream, {
    offer: { id, instance: 'r', agent: 'rogue', muxers: [muxer ?? 'native'] },
    authenticators: registries.authenticators,
    peer,
    signal
  })
  if (muxer === 'direct') {
    let counter = 0
    stream.resume()
    return {
      close,
      open: async () => {
        const data = quiet(net.connect({ host: '127.0.0.1', port: portOf(server), noDelay: true, allowHalfOpen: true }))
        later(() => data.destroy())
        await once(data, 'connect')
        data.write(dataLinkOpening(secret as Uint8Array, ok.session, counter++, true))
        return data
      }
    }
  }
  const links = {
    dial: () => Promise.reject(new Error('none')),
    onLink: undefined,
    request: () => {},
    onRequest: undefined
  }
  const streams: StreamLink =
    link.kind === 'bytes'
      ? registries.muxers.get(muxer as string).wrap(link, 'client', { log: silentLog, links })
      : link
  if (link.kind === 'bytes') {
    const control = quiet(await streams.open())
    control.write(encode({ type: 'HeartbeatAck', seq: 0, time: 0 }))
    control.resume()
  } else stream.resume()
  return {
    close,
    open: async () => quiet(await streams.open())
  }
}

/** The head of a visit. */
export const visitHead = (of: string, details?: Record<string, unknown>): Uint8Array =>
  encode({
    type: 'Visit',
    kind: 'private',
    of,
    visitor: ['192.0.2.1', 5],
    to: ['127.0.0.1', 3306],
    ...(details === undefined ? {} : { details })
  })
