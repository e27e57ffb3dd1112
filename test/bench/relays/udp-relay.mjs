/**
 * A plain relay of datagrams, as one would write it with Node alone: a socket for each visitor, connected to the service. No tunnel.
 * Sends its port to the process that forked it.
 */
import dgram from 'node:dgram'

const [host, port] = process.argv.slice(2)

// An address is not looked up: that would cost more than to send.
const create = () => dgram.createSocket({ type: 'udp4', lookup: (name, _options, done) => done(null, name, 4) })
const room = 4 * 1024 * 1024
const tune = (socket) => {
  socket.setRecvBufferSize(room)
  socket.setSendBufferSize(room)
}

const idle = 60_000
const sessions = new Map()
const front = create()

const begin = (key, visitor) => {
  const socket = create()
  const session = { socket, seen: Date.now() }
  socket.on('message', (datagram) => front.send(datagram, 0, datagram.length, visitor.port, visitor.address))
  socket.on('error', () => {})
  socket.once('listening', () => tune(socket))
  socket.connect(Number(port), host)
  sessions.set(key, session)
  return session
}

front.on('message', (datagram, visitor) => {
  const key = `${visitor.address} ${visitor.port}`
  const session = sessions.get(key) ?? begin(key, visitor)
  session.seen = Date.now()
  session.socket.send(datagram, 0, datagram.length)
})
setInterval(() => {
  for (const [key, { socket, seen }] of sessions) {
    if (Date.now() - seen < idle) continue
    sessions.delete(key)
    socket.close()
  }
}, idle).unref()

front.bind(0, '127.0.0.1', () => {
  tune(front)
  process.send(front.address().port)
})
process.once('disconnect', () => process.exit())
process.once('SIGTERM', () => process.exit())
