/** UDP for proxy kinds: datagrams over a stream, sessions of visitors, sockets of services. */
export { DatagramMetrics } from './datagram-metrics.js'
export { limitFields, limitsOf } from './limits.js'
export { liveService } from './live-service.js'
export { udpForms } from './service-address.js'
export { UdpServices } from './services.js'
export { udpSocket } from './socket.js'
export { UdpVisitors } from './visitors.js'
export type { UdpVisitorsOptions } from './visitors-options.js'
