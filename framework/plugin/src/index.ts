/** The contracts an extension author sees: everything an extension imports. */
export { type Static, type TSchema, Type } from '@rystra/model/schema'
export {
  type Address,
  background,
  type ClientInfo,
  type ErrorCode,
  type ErrorDetails,
  type ExtensionError,
  type Identity,
  isErrorCode,
  isExtensionCode,
  isPlain,
  isRefusal,
  isRystraError,
  isSecretAt,
  isSecretName,
  type Logger,
  type LogMethod,
  type PeerInfo,
  type ProxySpec,
  redact,
  redactBy,
  redacted,
  RystraError,
  secretTexts,
  type SessionInfo,
  type Side,
  silentLog,
  type StreamInfo,
  type TlsFacts,
  toRystraError,
  type VisitorInfo
} from '@rystra/model'
export * from './admin-routes.js'
export * from './authenticator.js'
export * from './certificates.js'
export * from './channel.js'
export type * from './cluster.js'
export type * from './cluster-info.js'
export * from './clock.js'
export * from './control.js'
export * from './directory.js'
export * from './discovery.js'
export * from './empty-runtime.js'
export * from './events.js'
export * from './explain.js'
export * from './extension.js'
export * from './handles.js'
export * from './deny.js'
export type { HookFacts } from './hook-facts.js'
export * from './hook-table.js'
export * from './hooks.js'
export * from './http-observer.js'
export * from './identity.js'
export * from './metrics.js'
export * from './muxer.js'
export * from './proxy.js'
export * from './registries.js'
export * from './relay.js'
export * from './runtime.js'
export * from './state-folder.js'
export * from './taps.js'
export * from './transport.js'
