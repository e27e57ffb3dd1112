import { type Address, RystraError } from '@rystra/plugin'
import { hostPort } from '@rystra/net'
import { type ClientTls, type ClientTlsOptions, readClientTls } from '@rystra/tls'
import { createHash, X509Certificate } from 'node:crypto'
import { promises as dns } from 'node:dns'
import net from 'node:net'
import { loadQuiche } from './binding.js'
import { ClientPath, type Target } from './client-path.js'
import { clientConfig } from './config.js'
import type { QuicLink } from './link.js'
import type { World } from './listen.js'
import type { Ticket, Tickets } from './tickets.js'

/** Milliseconds after which the next address of a name is tried beside the ones before, RFC 8305 section 5. */
const ATTEMPT_DELAY = 250

/** Addresses of one name that are tried. */
const MOST = 8

/** Who a ticket is for: another pin, authority or certificate of our own means another trust. */
const targetOf = (to: Address & ClientTlsOptions, { pem }: ClientTls): string => {
  const trust = JSON.stringify([to.fingerprint, to.serverName, pem.ca, pem.cert])
  return `${hostPort(to.host, to.port)} ${createHash('sha256').update(trust).digest('hex')}`
}

/** A ticket whose certificate is still good. */
const usable = (ticket: Ticket | undefined, tls: ClientTls): Ticket | undefined => {
  if (ticket === undefined) return undefined
  try {
    tls.checkCertificate(new X509Certificate(ticket.leaf))
    return ticket
  } catch {
    return undefined
  }
}

/** Rejects with `connect.unreachable`, `tls.*` or `transport.unsupported`. */
export const dial = async (
  to: Address & ClientTlsOptions,
  signal: AbortSignal,
  world: World,
  tickets: Tickets
): Promise<QuicLink> => {
  const { options, log } = world
  const where = `quic ${hostPort(to.host, to.port)}`
  const gaveUp = (): RystraError =>
    new RystraError('connect.unreachable', { detail: `${where}, given up`, cause: signal.reason })
  if (signal.aborted) throw gaveUp()
  const [quiche, tls] = await Promise.all([loadQuiche(), readClientTls(to, to.host, world)])
  const target = targetOf(to, tls)
  const ticket = options.earlyData ? usable(tickets.take(target), tls) : undefined
  const addresses = ticket === undefined ? await lookup(to.host, where) : [ticket.address]
  if (signal.aborted) throw gaveUp()

  return new Promise((resolve, reject) => {
    const attempts = new Set<ClientPath>()
    let left = addresses.length
    let next = 0
    let timer: NodeJS.Timeout | undefined
    let over = false

    const settle = (winner?: QuicLink): void => {
      over = true
      clearTimeout(timer)
      signal.removeEventListener('abort', aborted)
      for (const { link } of attempts) if (link !== winner) link.destroy()
      attempts.clear()
    }
    const fail = (error: Error): void => {
      settle()
      reject(error)
    }
    const aborted = (): void => fail(gaveUp())
    const lost = (error: Error): void => {
      if (over) return
      left -= 1
      if (left === 0) fail(error)
      else begin()
    }
    const begin = (): void => {
      const address = addresses[next]
      if (over || address === undefined) return
      next += 1
      clearTimeout(timer)
      timer = setTimeout(begin, ATTEMPT_DELAY)
      let path: ClientPath | undefined
      const wanted: Target = {
        quiche,
        config: clientConfig(quiche, tls, options),
        tls,
        address,
        port: to.port,
        ticket,
        options,
        log,
        onReady: (link) => {
          if (over) link.destroy()
          else {
            settle(link)
            resolve(link)
          }
        },
        onTicket: (fresh) => tickets.keep(target, fresh),
        onGone: (error, confirmed) => {
          if (!confirmed) tickets.forget(target)
          if (path !== undefined) attempts.delete(path)
          lost(error ?? new RystraError('connect.unreachable', { detail: `${where}, closed` }))
        }
      }
      ClientPath.open(wanted).then(
        (opened) => {
          path = opened
          if (opened.link.over) return
          if (over) {
            if (!opened.link.handedOut) opened.link.destroy()
          } else attempts.add(opened)
        },
        (cause: Error) => lost(new RystraError('connect.unreachable', { detail: `${where}, ${cause.message}`, cause }))
      )
    }
    signal.addEventListener('abort', aborted, { once: true })
    begin()
  })
}

/** The addresses of a name, the families by turns, RFC 8305 section 4. */
const lookup = async (host: string, where: string): Promise<string[]> => {
  if (net.isIP(host) !== 0) return [host]
  const found = await dns.lookup(host, { all: true, verbatim: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new RystraError('connect.unreachable', {
      detail: `${where}, ${cause.code === 'ENOTFOUND' ? 'no such host' : cause.message}`,
      cause
    })
  })
  const first = found.filter(({ family }) => family === found[0]?.family)
  const second = found.filter(({ family }) => family !== found[0]?.family)
  const turns = Array.from({ length: Math.max(first.length, second.length) }, (_, i) => [first[i], second[i]])
  return turns
    .flat()
    .flatMap((entry) => (entry === undefined ? [] : [entry.address]))
    .slice(0, MOST)
}
