/** Moves bytes between sockets and streams: raw access, buffers, the pump. */
export { cutOff } from './cut-off.js'
export type { Filters } from './lane.js'
export { reportEndLate } from './late-end.js'
export { resetAtExit } from './reset-at-exit.js'
export { SocketFace } from './socket-face.js'
export { type FacedStream, RawFace } from './raw-face.js'
export { forgetSlab, holdSlab, mayHoldSlab, releaseSlab, SLAB_SIZE, slabsTaken, takeSlab } from './slab.js'
export { CountedStream } from './counted-stream.js'
export { duplexOf } from './duplex-of.js'
export { FilteredStream } from './filtered-stream.js'
export { duplexPair, joinQuietly, PairedDuplex, resetError } from './pair.js'
export { JoinedPump } from './joined-pump.js'
export { type Pump, pump, type PumpDone } from './pump.js'
export {
  type Detached,
  HEADROOM,
  KEEP,
  type Offloaded,
  raw,
  type RawReader,
  type RawStream,
  type Verdict
} from './raw.js'
export { rawOf } from './raw-of.js'
