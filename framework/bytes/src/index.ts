/** Moves bytes between sockets and streams: raw access, buffers, the pump. */
export { cutOff } from './cut-off.js'
export * from './duplex-of.js'
export { onreadWorks } from './onread.js'
export * from './pair.js'
export * from './pump.js'
export * from './raw.js'
export * from './raw-of.js'
export { forgetSlab, releaseSlab, SLAB_SIZE, slabsTaken, takeSlab } from './slab.js'
