import { type RawStream, rawOf } from '@rystra/bytes'
import { type Logger, RystraError, type StreamInfo } from '@rystra/model'
import type { Duplex } from 'node:stream'
import { acceptanceOf } from './acceptance.js'
import { HANDLER } from './handlers.js'
import { type ProxyProtocolVersion, proxyHeader } from './proxy-protocol.js'
import { connectService, type Interest } from './service.js'
import { connectDirectly } from './service-connection.js'
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
  const local = localOf(wanted, served, state)
  const service = local.startsWith(HANDLER)
    ? handle(stream, served, state.log)
    : await dial(local, stream, state, interest)
  const header = headerOf(stream)
  if (header !== undefined) service.write(header)
  return service
}

/** As {@link connectFor}, for what is relayed: without a socket of Node where that can be. */
export const connectRawFor = async (
  wanted: string,
  stream: StreamInfo,
  served: ServedProxy,
  state: ClientState,
  interest: Interest
): Promise<RawStream> => {
  const local = localOf(wanted, served, state)
  const service = local.startsWith(HANDLER)
    ? rawOf(handle(stream, served, state.log))
    : await dialRaw(local, stream, state, interest)
  const header = headerOf(stream)
  if (header !== undefined) service.write(header, 0, header.length, false)
  return service
}

const localOf = (wanted: string, { pushed }: ServedProxy, { config }: ClientState): string =>
  pushed ? acceptanceOf(config).service(wanted) : wanted

/** Whatever the kind sends, and the visitor says, comes after it. */
const headerOf = ({ proxy, visitor }: StreamInfo): Buffer | undefined =>
  proxy.proxyProtocol === undefined ? undefined : proxyHeader(proxy.proxyProtocol as ProxyProtocolVersion, visitor)

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

const dialRaw = async (
  local: string,
  stream: StreamInfo,
  state: ClientState,
  interest: Interest
): Promise<RawStream> => {
  const release = state.serviceSockets.admit(stream.visitor.host)
  const connection = connectDirectly(local, interest, release)
  const connected = connection instanceof Promise ? await connection : undefined
  if (connected !== undefined) return connected
  release()
  return rawOf(await dial(local, stream, state, interest))
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
