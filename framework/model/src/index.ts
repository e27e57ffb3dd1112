/** Value types, ids and the one table of error codes. Imports nothing. */
export * from './codes.js'
export * from './error.js'
export * from './extension-errors.js'
export * from './log.js'
export * from './redact.js'
export * from './redact-schema.js'
export * from './text.js'
export * from './values.js'
