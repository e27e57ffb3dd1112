import { type Clock, RystraError } from '@rystra/plugin'
import type { X509Certificate } from 'node:crypto'
import { keepTls, watchTls } from '@rystra/native'
import type { Socket } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import type { ClientTls } from './client-tls.js'
import { tlsError } from './errors.js'
import { showResets } from './resets.js'

/** Options of {@link connectTls}. */
export interface ConnectTlsOptions {
  /** A connected socket. TLS owns it from now on, and destroys it on failure. */
  readonly socket: Socket
  /** Offered protocols, the preferred first. The chosen one is `alpnProtocol` of the result, or `false`. */
  readonly alpn: readonly string[]
  /** The peer in errors, for example `tls 127.0.0.1:7000`. */
  readonly where: string
  /** Milliseconds until the handshake must be done. @default no limit */
  readonly timeout?: { readonly ms: number; readonly clock: Clock }
}

/**
 * Performs the TLS handshake on a connected socket, resumes a stored session if there is one, and stores new ones.
 * Resolves when the server is verified, with no listeners left except for sessions. Rejects with `tls.*` or
 * `connect.unreachable`.
 */
export const connectTls = (tls: ClientTls, options: ConnectTlsOptions, signal: AbortSignal): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const { socket, alpn, where, timeout } = options
    const kept = tls.sessions.next()
    const abortReason = (): Error => (signal.reason instanceof Error ? signal.reason : new Error('aborted'))
    // TLS reports errors of its socket.
    socket.on('error', () => {})
    if (signal.aborted) {
      socket.destroy()
      return reject(tlsError(abortReason(), 'client', where))
    }
    // With half-open allowed Node would wait after an end within the handshake.
    const { allowHalfOpen } = socket
    socket.allowHalfOpen = false
    const make = (): TLSSocket =>
      connect({
        ...tls.options,
        socket,
        ALPNProtocols: [...alpn],
        // Verified by `check`, whose error describes the presented certificate.
        rejectUnauthorized: false,
        ...(kept === undefined ? {} : { session: kept.session })
      })
    const [secure, noticed] = watchTls(socket, make)
    keepTls(secure, noticed)
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
    const aborted = (): void => fail(abortReason())
    const timedOut = (): void => fail(new RystraError('tls.handshake', { detail: `${where}, handshake timed out` }))
    const cancel = timeout?.clock.after(timeout.ms, timedOut)
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
