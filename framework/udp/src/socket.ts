import dgram from 'node:dgram'

/** Bytes the kernel is asked to buffer in each direction: a burst that comes while the process is busy. */
const BUFFER = 4 * 1024 * 1024

/** A UDP socket that looks nothing up: who sends through it gives addresses, not names. */
export const udpSocket = (family: 4 | 6): dgram.Socket =>
  dgram.createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    lookup: (host, _options, done) => done(null, host, family)
  })

/** Makes room for bursts. The socket has to be bound. */
export const tuneUdp = (socket: dgram.Socket): void => {
  try {
    socket.setRecvBufferSize(BUFFER)
    socket.setSendBufferSize(BUFFER)
  } catch {
    // The system gives what it likes.
  }
}
