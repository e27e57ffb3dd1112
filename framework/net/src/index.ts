/** TCP for transports: dialing out, also through proxies, and ports that several transports share. */
export { setAcceptedOptions } from './accepted-options.js'
export { AcceptedSockets } from './accepted-sockets.js'
export * from './certificate-sources.js'
export * from './client-hello.js'
export { containExceptions } from './contain-exceptions.js'
export { type DialEnvironment, type DialTcpOptions, dialTcp } from './dial.js'
export { asError, dialError, listenError, reasonOf } from './errors.js'
export { chooseProxy, type ProxyAddress } from './proxy/choice.js'
export { dialFields, tcpFields } from './fields.js'
export { type Attempt, interleave, raceAddresses } from './race.js'
export { peerOf } from './peer.js'
export {
  type HandedOver,
  type HostKind,
  baseDomain,
  claimedHosts,
  hostFields,
  hostKind,
  hostPattern
} from './host-kind.js'
export { type Found, HostTable } from './host-table.js'
export { type InheritedSocket, InheritedSockets } from './inherited-sockets.js'
export { tcpServer, type TcpServer } from './tcp-server.js'
export { hopByHopHeaders } from './hop-by-hop.js'
export { closeWithSession } from './session-socket.js'
export * from './shared-ports.js'
export { gatedPorts, type PortGate } from './gated-ports.js'
export * from './offset-ports.js'
export * from './returned.js'
export * from './reuse-port.js'
