/** TLS for transports: certificates of the server, trust of the client, facts of a link. */
export * from './client-tls.js'
export * from './errors.js'
export * from './facts.js'
export * from './fields.js'
export * from './server-tls.js'
