/** TCP for transports: dialing out, also through proxies, and ports that several transports share. */
export { acceptHttp } from './accept-http.js'
export type { AcceptedHandle } from './accepted-handles.js'
export { AcceptedSockets } from './accepted-sockets.js'
export { ConnectionStream } from './connection-stream.js'
export { containExceptions } from './contain-exceptions.js'
export { dialTcp } from './dial.js'
export { asError, listenError, reasonOf } from './errors.js'
export { chooseProxy, type ProxyAddress } from './proxy/choice.js'
export { dialFields, proxyProtocolFrom, tcpFields } from './fields.js'
export { type Attempt, interleave, raceAddresses } from './race.js'
export { LazyAbort } from './lazy-abort.js'
export { peerOf } from './peer.js'
export {
  baseDomain,
  claimedHosts,
  type HandedOver,
  hostFields,
  type HostKind,
  hostKind,
  hostPattern
} from './host-kind.js'
export { type Found, HostTable } from './host-table.js'
export { routeName } from './other-process-routes.js'
export { type InheritedSocket, InheritedSockets } from './inherited-sockets.js'
export { tcpServer, type TcpServer } from './tcp-server.js'
export { hopByHopHeaders } from './hop-by-hop.js'
export { closeWithSession } from './session-socket.js'
export { gatedPorts, type PortGate } from './gated-ports.js'
export { httpChallenge, sourceOf, TLS_CHALLENGE_PROTOCOL, tlsChallenge } from './certificate-sources.js'
export { type ClientHello, readClientHello } from './client-hello.js'
export { SharedPorts } from './shared-ports.js'
export { listeningServers } from './listening-servers.js'
export { offsetPorts } from './offset-ports.js'
export { returned } from './returned.js'
export { canReusePort } from './reuse-port.js'
export { ProxiedConnections, proxiesOf } from './proxied-connections.js'
