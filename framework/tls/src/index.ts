/** TLS for transports: certificates of the server, trust of the client, facts of a link. */
export { type ClientTls, readClientTls } from './client-tls.js'
export { crlsIn, readCrl, type RevocationList } from './crl.js'
export { tlsFacts } from './facts.js'
export { checkKeyPair, readAuthorities } from './key-pair.js'
export { firstBytes, plainHttpAnswer } from './first-bytes.js'
export { TlsAcceptor, type TlsAcceptorOptions } from './acceptor.js'
export { connectTls } from './connect.js'
export { asciiOf, type Element, inside, oidOf, plainHex, serialOf, signedOf, Tag, textOf, timeOf } from './der.js'
export { TlsDialer } from './dialer.js'
export { certificateError, tlsError } from './errors.js'
export {
  clientTlsFields,
  type ClientTlsOptions,
  serverTlsFields,
  type ServerTlsOptions,
  type TlsHost
} from './options.js'
export { provesServer } from './proves-server.js'
export { fixedServerTls, openServerTls, type ServerTls } from './server-tls.js'
