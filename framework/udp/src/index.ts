/** UDP for proxy kinds: datagrams over a stream, sessions of visitors, sockets of services. */
export { Carrier, type CarrierEvents, type CarrierStream } from './carrier.js'
export { CLOSE, FrameDecoder, HEADER_BYTES, MAX_DATAGRAM_BYTES } from './frames.js'
export { defaultLimits, type LimitFields, limitFields, limitsOf, type UdpLimits } from './limits.js'
export { parseUdpService, udpForms } from './service-address.js'
export { UdpServices, type UdpServicesOptions } from './services.js'
export { tuneUdp, udpSocket } from './socket.js'
export { type Drop, DropCounter } from './drop-counter.js'
export { UdpVisitors, type UdpVisitorsOptions } from './visitors.js'
