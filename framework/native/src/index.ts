/** The optional native part: UDP sockets in batches. Everything works without it. */
export { BatchedUdp, type UdpEvents, type UdpFeatures } from './batched-udp.js'
export { kernelDrops } from './kernel-drops.js'
export { loadNative, type Native, type NativeStatus, nativeStatus } from './load.js'
