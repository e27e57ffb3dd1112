/** Makes certificates, revocation lists and authorities, and tells what is in them. Checks nothing: node:tls does. */
export * from './check.js'
export { type CrlDescription, describeCrls, type RevocationReason, revocationReasons } from './crl.js'
export * from './describe.js'
export * from './issue.js'
export { certificatesOf, type KeyPair, toPem } from './pem.js'
export * from './revoke.js'
