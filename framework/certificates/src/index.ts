/** Makes certificates, revocation lists and authorities, and tells what is in them. Checks nothing: node:tls does. */
export { type CrlDescription, describeCrls, type RevocationReason } from './crl.js'
export { certificatesOf, type KeyPair, toPem } from './pem.js'
export { checkAuthorities, checkCrls, checkPair, type Findings } from './check.js'
export { type CertificateDescription, describeCertificate, fingerprintOf } from './describe.js'
export { type CertificateOptions, issueClient, issuePeer, issueServer, makeAuthority, selfSigned } from './issue.js'
export { revoke } from './revoke.js'
