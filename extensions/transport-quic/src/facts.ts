import type { TlsFacts } from '@rystra/plugin'
import type { QuicheConnection } from './binding.js'

/** What the binding tells of TLS. Neither the cipher nor keying material is among it, so there is no channel binding. */
export const factsOf = (connection: QuicheConnection, certificate: Uint8Array | undefined): TlsFacts => {
  const alpn = Buffer.from(connection.applicationProto()).toString('latin1')
  const serverName = connection.serverName()
  return {
    version: 'TLSv1.3',
    cipher: 'unknown',
    ...(alpn === '' ? {} : { alpn }),
    ...(serverName === null ? {} : { serverName }),
    ...(certificate === undefined ? {} : { certificate })
  }
}
