import { TLS_CHALLENGE_PROTOCOL } from '@rystra/net'
import type { CertificatePair } from '@rystra/plugin'
import type { Socket } from 'node:net'
import tls from 'node:tls'

/** Completes a handshake of TLS-ALPN-01 and closes the connection, RFC 8737 §3: nothing else is sent on it. */
export const answerChallenge = (socket: Socket, { cert, key }: CertificatePair): void => {
  const server = tls.createServer({ cert, key, ALPNProtocols: [TLS_CHALLENGE_PROTOCOL] }, (secured) => {
    secured.on('error', () => {})
    // The authority closes it; the limit of handshakes ends it otherwise.
    secured.on('end', () => secured.end())
    secured.resume()
  })
  server.on('tlsClientError', () => socket.destroy())
  // With half-open allowed Node would wait after an end within the handshake.
  socket.allowHalfOpen = false
  server.emit('connection', socket)
}
