/** Everything of the package but the extension of a configuration: also what files in its option `services` may import. */
export type { SessionClock } from './clock/session-clock.js'
export type { BodyCodec } from './codec/codec.js'
export { json } from './codec/json.js'
export { msgpack } from './codec/msgpack.js'
export { raw } from './codec/raw.js'
export { type State, type StateKey, stateKey } from './context/state.js'
export { RpcError, type RpcErrorDetails } from './error.js'
export { type Metadata, wellKnownKeys } from './frame/metadata.js'
export { type CallRecord, DROP, type Middleware, type RpcMessage, type Step } from './middleware/middleware.js'
export { access, type AccessRule } from './middleware/access.js'
export { limit, type LimitOptions } from './middleware/limit.js'
export type {
  Handler,
  HandlerOptions,
  IncomingCall,
  Listener,
  RpcSession,
  RpcSessionEvents,
  ServiceView,
  StreamHandler
} from './session/rpc-session.js'
export type { RequestOptions } from './session/outgoing-calls.js'
export { Rpc, type RpcNodeOptions } from './rpc.js'
export type { ClientOptions } from './links.js'
export type { RelayRule } from './relay-rules.js'
export type { RpcPeer } from './session/peer.js'
export { duplexOf, webStreams } from './session/stream-forms.js'
export { RpcStream } from './session/rpc-stream.js'
export type { StreamMode, StreamOptions } from './session/stream-options.js'
export type { RpcOptions } from './session/settings.js'
export type { Aligned } from './stream/aligned-receiver.js'
export type { StreamStats, TimedMessage } from './stream/jitter-buffer.js'
export type { PlayoutOptions } from './stream/playout.js'
export { handler, listener, streamHandler } from './service/decorators.js'
export {
  defineService,
  event,
  type EventContract,
  fromServer,
  type FromServer,
  type Member,
  type Members,
  request,
  type RequestContract,
  type RequestTerms,
  reverse,
  type Reversed,
  type Service,
  stream,
  type StreamContract,
  type StreamTerms,
  type TypeOf
} from './service/define.js'
export { describeMarkdown, describeService, type ServiceDescription } from './service/describe.js'
export type { Implementation } from './service/implement.js'
export type { TypedStream } from './service/typed-stream.js'
export { RpcBuilder, type RpcPlugin } from './builder.js'
export { RpcClient, RpcClientBuilder, type RpcClientOptions, type RpcDiscoverOptions } from './client/rpc-client.js'
export { type BoundAddress, RpcServer, RpcServerBuilder } from './server/rpc-server.js'
