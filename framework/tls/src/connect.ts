import { type Clock, RystraError } from '@rystra/plugin'
import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import type { ClientTls } from './client-tls.js'
import { tlsError } from './errors.js'
import { showResets } from './resets.js'

/** What to speak TLS on. */
export interface ConnectTlsOptions {
  /** Connected; it belongs to TLS from now on, and is destroyed when that fails. */
  readonly socket: Socket
  /** What is offered, the dearest first. What was chosen is `alpnProtocol` of the answer, `false` if nothing was. */
  readonly alpn: readonly string[]
  /** For errors: `tls 127.0.0.1:7000`. */
  readonly where: string
  /** Milliseconds the handshake may take. @default as long as it takes */
  readonly timeout?: { readonly ms: number; readonly clock: Clock }
}

/**
 * Shakes hands over a connected socket, resumes an earlier session if there is one, and keeps new ones for later. Resolves
 * when the server is verified; the socket has no listeners of ours but for sessions. Rejects with `tls.*` or
 * `connect.unreachable`.
 */
export const connectTls = (tls: ClientTls, options: ConnectTlsOptions, signal: AbortSignal): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const { socket, alpn, where, timeout } = options
    const kept = tls.sessions.next()
    const given = (): Error => (signal.reason instanceof Error ? signal.reason : new Error('given up'))
    // TLS reports what happens to it.
    socket.on('error', () => {})
    if (signal.aborted) {
      socket.destroy()
      return reject(tlsError(given(), 'client', where))
    }
    // Until the handshake is done an end is the end; with half-open allowed, Node would wait on.
    const { allowHalfOpen } = socket
    socket.allowHalfOpen = false
    const secure = connect({
      ...tls.options,
      socket,
      ALPNProtocols: [...alpn],
      // Looked at below, so that the error can tell of the certificate that was shown.
      rejectUnauthorized: false,
      ...(kept === undefined ? {} : { session: kept.session })
    })
    showResets(secure, socket)
    let leaf: X509Certificate | undefined
    const early: Buffer[] = []
    const settle = (): void => {
      signal.removeEventListener('abort', aborted)
      secure.removeListener('error', fail)
      cancel?.()
    }
    const fail = (error: Error): void => {
      settle()
      const reason = tlsError(error, 'client', where)
      if (kept !== undefined) tls.sessions.drop(kept)
      if (reason.code.startsWith('tls.')) tls.sessions.forget()
      secure.on('error', () => {}).destroy()
      socket.destroy()
      reject(reason)
    }
    const aborted = (): void => fail(given())
    const late = (): void => fail(new RystraError('tls.handshake', { detail: `${where}, no answer in time` }))
    const cancel = timeout?.clock.after(timeout.ms, late)
    signal.addEventListener('abort', aborted, { once: true })
    secure.once('error', fail)
    secure.on('session', (session: Buffer) => {
      if (leaf === undefined) early.push(session)
      else tls.sessions.keep(session, leaf)
    })
    secure.once('secureConnect', () => {
      try {
        leaf = tls.check(secure, kept?.leaf)
      } catch (error) {
        fail(error as Error)
        return
      }
      for (const session of early) tls.sessions.keep(session, leaf)
      settle()
      socket.allowHalfOpen = allowHalfOpen
      secure.allowHalfOpen = allowHalfOpen
      resolve(secure)
    })
  })
