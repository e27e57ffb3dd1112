/** The optional native part: UDP sockets in batches, links of yamux. Everything works without it. */
export { BatchedUdp } from './batched-udp.js'
export { kernelDrops } from './kernel-drops.js'
export { OVER, SHARED, SHARED_COLUMNS } from './link-binding.js'
export { BatchedLink, type JoinedState, type LinkEvents } from './links.js'
export { loadNative, nativeStatus } from './load.js'
