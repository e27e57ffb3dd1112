import { hostPort } from '@rystra/address'
import { asError, type Attempt, interleave, raceAddresses, reasonOf } from '@rystra/net'
import { type Address, isRystraError, RystraError } from '@rystra/plugin'
import { type ClientTls, type ClientTlsOptions, readClientTls } from '@rystra/tls'
import { createHash, X509Certificate } from 'node:crypto'
import { promises as dns } from 'node:dns'
import net from 'node:net'
import { loadQuiche } from './binding.js'
import { ClientPath, type Target } from './client-path.js'
import { clientConfig } from './config.js'
import type { QuicLink } from './link.js'
import type { QuicHost } from './listen.js'
import type { Ticket, Tickets } from './tickets.js'

/** Key of a session ticket: another pin, authority or client certificate is another trust. */
const targetOf = (to: Address & ClientTlsOptions, { pem }: ClientTls): string => {
  const trust = JSON.stringify([to.fingerprint, to.serverName, pem.ca, pem.cert])
  return `${hostPort(to.host, to.port)} ${createHash('sha256').update(trust).digest('hex')}`
}

/** The ticket, if its certificate is still valid. */
const usable = (ticket: Ticket | undefined, tls: ClientTls): Ticket | undefined => {
  if (ticket === undefined) return undefined
  try {
    tls.checkCertificate(new X509Certificate(ticket.leaf))
    return ticket
  } catch {
    return undefined
  }
}

/** Dials by Happy Eyeballs. Rejects with `connect.unreachable`, `tls.*` or `transport.unsupported`. */
export const dial = async (
  to: Address & ClientTlsOptions,
  signal: AbortSignal,
  host: QuicHost,
  tickets: Tickets
): Promise<QuicLink> => {
  const { options, log, drops } = host
  const where = `quic ${hostPort(to.host, to.port)}`
  try {
    signal.throwIfAborted()
    const [quiche, tls] = await Promise.all([loadQuiche(), readClientTls(to, to.host, host)])
    const target = targetOf(to, tls)
    const ticket = options.earlyData ? usable(tickets.take(target), tls) : undefined
    const addresses = ticket === undefined ? await resolve(to.host) : [ticket.address]
    const attempt = (address: string): Attempt<QuicLink> =>
      openPath({
        quiche,
        config: clientConfig(quiche, tls, options),
        tls,
        address,
        port: to.port,
        ticket,
        options,
        log,
        drops,
        onTicket: (fresh) => tickets.keep(target, fresh),
        onUnconfirmed: () => tickets.forget(target)
      })
    return await raceAddresses(addresses, { signal, connect: attempt })
  } catch (error) {
    throw errorOf(asError(error), where)
  }
}

/** One address: resolves with the link when it is ready. */
const openPath = (target: Omit<Target, 'onReady' | 'onGone'> & { onUnconfirmed(): void }): Attempt<QuicLink> => {
  let path: ClientPath | undefined
  let cancelled = false
  return {
    connection: new Promise((resolve, reject) => {
      ClientPath.open({
        ...target,
        onReady: (link) => {
          if (cancelled) link.destroy()
          else resolve(link)
        },
        onGone: (error, confirmed) => {
          if (!confirmed) target.onUnconfirmed()
          reject(error ?? new Error('connection closed'))
        }
      }).then((opened) => {
        path = opened
        if (cancelled && !opened.link.closed) opened.link.destroy()
      }, reject)
    }),
    cancel: () => {
      cancelled = true
      path?.link.destroy()
    }
  }
}

/** With several attempts, an error of TLS says more than an address without answer. */
const errorOf = (error: Error, where: string): RystraError => {
  if (isRystraError(error)) return error
  const errors = error instanceof AggregateError ? (error.errors as Error[]) : []
  const known = errors.filter(isRystraError)
  const [best] = known.filter(({ code }) => code.startsWith('tls.'))
  if (best !== undefined) return best
  if (known.length > 0 && known.length === errors.length) return known.at(-1) as RystraError
  return new RystraError('connect.unreachable', { detail: `${where}, ${reasonOf(error)}`, cause: error })
}

const resolve = async (host: string): Promise<string[]> =>
  net.isIP(host) === 0 ? interleave(await dns.lookup(host, { all: true, verbatim: true })) : [host]
