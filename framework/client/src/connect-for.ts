import { type Logger, RystraError, type StreamInfo } from '@rystra/model'
import type { Duplex } from 'node:stream'
import { acceptanceOf } from './acceptance.js'
import { HANDLER } from './handlers.js'
import { type ProxyProtocolVersion, proxyHeader } from './proxy-protocol.js'
import { connectService, type Interest } from './service.js'
import { serveHere } from './service-stream.js'
import type { ClientState, ServedProxy } from './state.js'

/** Connects to the service of a stream, as far as the client accepts it at this moment. */
export const connectFor = async (
  wanted: string,
  stream: StreamInfo,
  served: ServedProxy,
  state: ClientState,
  interest: Interest
): Promise<Duplex> => {
  const local = served.pushed ? acceptanceOf(state.config).service(wanted) : wanted
  const service = local.startsWith(HANDLER)
    ? handle(stream, served, state.log)
    : await dial(local, stream, state, interest)
  const { proxyProtocol } = stream.proxy
  if (proxyProtocol !== undefined) {
    // Whatever the kind sends, and the visitor says, comes after it.
    const header = proxyHeader(proxyProtocol as ProxyProtocolVersion, stream.visitor)
    service.write(header)
  }
  return service
}

const dial = async (
  local: string,
  { proxy, visitor }: StreamInfo,
  state: ClientState,
  interest: Interest
): Promise<Duplex> => {
  const release = state.serviceSockets.admit(visitor.host)
  try {
    const socket = await connectService(local, proxy.name, interest)
    socket.once('close', release)
    return socket
  } catch (error) {
    release()
    throw error
  }
}

/** A service within this process: no socket is opened. */
const handle = (stream: StreamInfo, { handler }: ServedProxy, log: Logger): Duplex => {
  const { name } = stream.proxy
  if (handler === undefined) {
    throw new RystraError('stream.service-unreachable', { side: 'client', detail: `${name} (nothing serves it)` })
  }
  return serveHere(handler, stream, (error) => {
    log.error({ err: error, proxy: name }, 'a handler failed')
  })
}
