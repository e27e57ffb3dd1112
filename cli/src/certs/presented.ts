import { toPem } from '@rystra/certificates'
import { RystraError } from '@rystra/model'
import { tlsError } from '@rystra/tls'
import net from 'node:net'
import tls, { type DetailedPeerCertificate, type TLSSocket } from 'node:tls'
import { formatAddress } from '../address.js'

/** What a server shows of itself. */
export interface Presented {
  /** The certificate and what came with it, PEM. */
  readonly pem: string
  readonly version: string
  readonly cipher: string
  /** What was agreed on; nothing when the server speaks none of ours. */
  readonly alpn: string | undefined
}

/** Certificates of a chain that are read, at most. */
const mostCertificates = 20

const chainOf = (socket: TLSSocket): string => {
  const found: string[] = []
  let at: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
  while (at?.raw !== undefined && found.length < mostCertificates) {
    found.push(toPem('CERTIFICATE', at.raw))
    at = at.issuerCertificate === at ? undefined : at.issuerCertificate
  }
  return found.join('')
}

/**
 * Connects by TLS, trusts whatever comes, and tells what that was. Sends nothing but the handshake.
 * Rejects with `connect.unreachable` or `tls.*`.
 */
export const presentedBy = (
  to: { readonly host: string; readonly port: number },
  serverName: string | undefined,
  timeout: number
): Promise<Presented> =>
  new Promise((resolve, reject) => {
    const where = `tls ${formatAddress(to)}`
    const name = serverName ?? (net.isIP(to.host) === 0 ? to.host : undefined)
    const socket = tls.connect({
      ...to,
      ...(name === undefined ? {} : { servername: name }),
      // Nothing goes over this connection: what is shown is not yet trusted.
      rejectUnauthorized: false,
      ca: [],
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['rystra/1', 'h2', 'http/1.1']
    })
    const done = (action: () => void): void => {
      clearTimeout(timer)
      socket.destroy()
      action()
    }
    const timer = setTimeout(
      () =>
        done(() =>
          reject(
            new RystraError('connect.unreachable', { detail: `${where}, no TLS handshake within ${timeout / 1000} s` })
          )
        ),
      timeout
    )
    socket.on('error', (error) => done(() => reject(tlsError(error, 'client', where))))
    socket.once('secureConnect', () => {
      const presented = {
        pem: chainOf(socket),
        version: socket.getProtocol() ?? 'unknown',
        cipher: socket.getCipher().standardName,
        alpn: socket.alpnProtocol === false || socket.alpnProtocol === null ? undefined : socket.alpnProtocol
      }
      done(() => resolve(presented))
    })
  })
