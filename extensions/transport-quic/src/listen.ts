import { background, type Address, type Clock, type Link, type Listener, type Logger } from '@rystra/plugin'
import { openServerTls, type ServerTlsOptions } from '@rystra/tls'
import { loadQuiche } from './binding.js'
import { Endpoint } from './endpoint.js'
import type { QuicOptions } from './options.js'
import type { SocketDrops } from './socket-drops.js'

/** What listeners and dials need of the extension's context. */
export interface QuicHost {
  readonly dir: string
  readonly stateDir: string
  readonly log: Logger
  readonly clock: Clock
  readonly options: QuicOptions
  readonly drops: SocketDrops
}

/** Rejects with `listen.*`, `tls.files` or `transport.unsupported`. */
export const listen = async (
  to: Address & ServerTlsOptions,
  onLink: (link: Link) => void,
  signal: AbortSignal,
  host: QuicHost
): Promise<Listener> => {
  const quiche = await loadQuiche()
  const tls = await openServerTls(to, host)
  let endpoint: Endpoint
  try {
    signal.throwIfAborted()
    endpoint = await Endpoint.open(quiche, to, { ...host, tls, onLink })
  } catch (error) {
    tls.close()
    throw error
  }
  tls.onChange = () => endpoint.configure()
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => {
    if (closed !== undefined) return closed
    tls.close()
    signal.removeEventListener('abort', over)
    closed = endpoint.close(to.host)
    return closed
  }
  const over = (): void => background(close(), host.log, 'quic: a listener was not closed')
  signal.addEventListener('abort', over, { once: true })
  if (signal.aborted) await close()
  return { address: endpoint.address, ...(tls.join === undefined ? {} : { join: tls.join }), close }
}
