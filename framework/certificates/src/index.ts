/** Makes certificates, revocation lists and authorities, and tells what is in them. Checks nothing: node:tls does. */
export * from './describe.js'
export * from './issue.js'
export * from './revoke.js'
