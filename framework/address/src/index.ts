/** Addresses, hosts, ports and endpoints as people write them: one form of each, and what compares them. */
export { addressBytes, addressOfBytes, networkOf, networks, plainAddress } from './address.js'
export { type Endpoint, endpointProblem, formatEndpoint, parseEndpoint, type UnixEndpoint } from './endpoint.js'
export {
  bindForms,
  endpointField,
  hostText,
  httpEndpointField,
  localForms,
  parseHttpEndpoint,
  parseLocal
} from './field.js'
export { addressText, asciiHost, asciiHostPattern, hostPort, isHost, peerText } from './host.js'
export { pattern } from './pattern.js'
export {
  expectedPorts,
  formatPorts,
  parsePortRange,
  parsePorts,
  portAllowed,
  type PortRange,
  portRangePattern,
  type PortsWritten
} from './ports.js'
export { TrustedProxies } from './trusted-proxies.js'
export { checkUrl } from './url.js'
export { visitorOf } from './visitor.js'
