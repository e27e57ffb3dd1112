import dgram from 'node:dgram'

/** Kernel buffer per direction, for bursts while the process is busy. */
const BUFFER_BYTES = 4 * 1024 * 1024

/** A UDP socket without name resolution: callers send to addresses. */
export const udpSocket = (family: 4 | 6): dgram.Socket =>
  dgram.createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    lookup: (host, _options, done) => done(null, host, family)
  })

/** Enlarges the kernel buffers. The socket must be bound. */
export const tuneUdp = (socket: dgram.Socket): void => {
  try {
    socket.setRecvBufferSize(BUFFER_BYTES)
    socket.setSendBufferSize(BUFFER_BYTES)
  } catch {
    // The kernel refuses the size.
  }
}
