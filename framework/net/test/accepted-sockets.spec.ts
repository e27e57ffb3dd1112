import type { Logger } from '@rystra/model'
import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import http2 from 'node:http2'
import net from 'node:net'
import { silentLog } from '@rystra/model'
import { AcceptedSockets } from '../src/accepted-sockets.js'
import { offerHandles } from '../src/accepted-handles.js'
import type { ConnectionStream } from '../src/connection-stream.js'
import { closeWithSession, SharedPorts } from '../src/index.js'
import { never, until } from './outcome.js'
import { cleanUp, later } from './proxies.js'

const host = '127.0.0.1'

const logTo = (lines: object[]): Logger => {
  const error = (fields: unknown): void => void lines.push(fields as object)
  const log: Logger = { ...silentLog, error, child: () => log }
  return log
}

const listen = async (ports: SharedPorts, onSocket: (socket: net.Socket) => void): Promise<number> => {
  const listener = await ports.listenTcp({ owner: 'face', host, port: 0, recognises: () => true, onSocket }, never)
  later(() => listener.close())
  return listener.address?.port ?? 0
}

/** The next numbers of descriptors. */
const nextDescriptors = (count: number): number[] => {
  const next = Array.from({ length: count }, () => openSync('/dev/null', 'r'))
  for (const descriptor of next) closeSync(descriptor)
  return next
}

const connect = async (port: number): Promise<net.Socket> => {
  const socket = net.connect({ port, host })
  socket.on('error', () => {})
  later(() => socket.destroy())
  await once(socket, 'connect')
  return socket.resume()
}

describe('accepted connections', () => {
  afterEach(cleanUp)

  it('are counted by address until their descriptor is closed', async () => {
    const ports = new SharedPorts()
    const taken: net.Socket[] = []
    const port = await listen(ports, (socket) => taken.push(socket))
    await Promise.all([connect(port), connect(port)])
    await until(() => taken.length === 2)
    expect(ports.accepted.counts).to.deep.equal({ [`${host}:${port}`]: 2 })
    taken[0]?.destroy()
    await until(() => ports.accepted.counts[`${host}:${port}`] === 1)
    taken[1]?.destroy()
    await until(() => Object.keys(ports.accepted.counts).length === 0)
  })

  it('are closed alone when their handler throws, with the name of the listener in the log', async () => {
    const lines: object[] = []
    const ports = new SharedPorts({ log: logTo(lines) })
    const err = new Error('thrown by a handler')
    let count = 0
    const port = await listen(ports, (socket) => {
      count += 1
      if (count === 1) throw err
      socket.end('served')
    })
    const [first] = await Promise.all([connect(port)])
    await once(first as net.Socket, 'close')
    expect(lines).to.deep.equal([{ err, address: `${host}:${port}`, extension: 'face' }])
    const [chunk] = await once(await connect(port), 'data')
    expect(String(chunk)).to.equal('served')
    await until(() => Object.keys(ports.accepted.counts).length === 0)
  })

  it('are refused at the descriptor limit, with one line in the log for all', async () => {
    const lines: { connections?: number; err?: Error }[] = []
    const ports = new SharedPorts({ log: logTo(lines), maxDescriptor: 0 })
    const port = await listen(ports, () => {
      throw new Error('not to be called')
    })
    const sockets = await Promise.all([connect(port), connect(port), connect(port)])
    await Promise.all(sockets.map((socket) => socket.destroyed || once(socket, 'close')))
    expect(lines.length).to.equal(1)
    expect(lines[0]?.err?.message).to.match(/descriptor limit reached/)
    expect(ports.accepted.counts).to.deep.equal({})
  })
})

describe('accepted connections without a socket of Node', () => {
  afterEach(cleanUp)

  it('are refused at the descriptor limit, with one line in the log for all', async () => {
    const [visitors, places] = [8, 4]
    const lines: { connections?: number; err?: Error }[] = []
    const taken: ConnectionStream[] = []
    const server = net.createServer().listen(0, host)
    await once(server, 'listening')
    const { port } = server.address() as net.AddressInfo
    const face = { address: `${host}:${port}` }
    const sockets = Array.from({ length: visitors }, () => net.connect({ port, host }).on('error', () => {}))
    later(() => {
      for (const socket of sockets) socket.destroy()
      for (const stream of taken) stream.reset()
      server.close()
    })
    let accepted: AcceptedSockets | undefined
    offerHandles(server, (handle) => {
      // All visitors have their descriptors already.
      accepted ??= new AcceptedSockets({ log: logTo(lines), maxDescriptor: Math.max(...nextDescriptors(places)) })
      return accepted.adopt(handle, face, (stream) => taken.push(stream))
    })
    for (const socket of sockets) socket.resume()
    const closed = (): number => sockets.filter((socket) => socket.closed).length
    await until(() => taken.length + closed() === visitors)
    // A place is free again where a visitor of this process was refused.
    expect(closed(), 'visitors refused').to.be.above(0)
    expect(taken.length).to.be.above(0)
    expect(lines.length).to.equal(1)
    expect(lines[0]?.err?.message).to.match(/descriptor limit reached/)
    expect(accepted?.counts).to.deep.equal({ [face.address]: taken.length })
  })
})

describe('the socket of an HTTP/2 session', () => {
  afterEach(cleanUp)

  it('is closed when the peer closes after an error that ended the session silently', async () => {
    const server = http2.createServer()
    server.on('sessionError', () => {})
    let accepted: net.Socket | undefined
    const ports = new SharedPorts()
    server.on('session', (session) => closeWithSession(session, accepted as net.Socket))
    const port = await listen(ports, (socket) => {
      // As if the first bytes had been looked at.
      socket.once('readable', () => {
        socket.unshift(socket.read() as Buffer)
        accepted = socket
        socket.once('end', () => socket.destroy())
        server.emit('connection', socket)
      })
    })
    const peer = await connect(port)
    const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])
    const onStream0 = Buffer.from([0, 0, 1, 0, 0, 0, 0, 0, 0, 1])
    peer.end(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), settings, onStream0]))
    await until(() => accepted !== undefined)
    await until(() => Object.keys(ports.accepted.counts).length === 0)
  })
})

describe('an exception in an event handler', () => {
  // What was built starts in a tenth of the time.
  const built = process.env['RYSTRA_TEST_BUILT'] === '1'
  const entry = new URL(built ? '../dist/index.js' : '../src/index.ts', import.meta.url).href

  afterEach(cleanUp)

  const script = (handler: string): string => `
    import net from 'node:net'
    import { createSocket } from 'node:dgram'
    import { containExceptions } from '${entry}'
    const line = ({ err, thrown }, message) => console.log(JSON.stringify([err?.message ?? thrown, message]))
    containExceptions({ error: line })
    let count = 0
    const server = net.createServer((socket) => {
      count += 1
      if (count > 1) return socket.end('served', () => process.exit(0))
      ${handler}
    }).listen(0, '${host}', () => {
      const { port } = server.address()
      const peer = net.connect(port, '${host}', () => peer.write('x'))
      peer.on('error', () => {}).resume().on('close', () => net.connect(port, '${host}').resume())
    })`

  const run = async (handler: string): Promise<{ code: number; out: string }> => {
    const source = built ? [] : ['--conditions=rystra-source', '--import=tsx']
    const child = spawn(process.execPath, [...source, '--input-type=module', '--eval', script(handler)], {
      stdio: ['ignore', 'pipe', 'ignore']
    })
    later(() => child.kill('SIGKILL'))
    let out = ''
    child.stdout.on('data', (chunk: Buffer) => {
      out += String(chunk)
    })
    const [code] = (await once(child, 'close')) as [number]
    return { code, out: out.trim() }
  }

  it('ends its connection and not the process, and is logged', async () => {
    const datagram = `const udp = createSocket('udp4').once('message', () => {
        udp.once('message', () => { console.log('served'); process.exit(0) }).send('2', udp.address().port, '127.0.0.1')
        throw new Error('of a datagram')
      }).bind(0, '127.0.0.1', () => udp.send('1', udp.address().port, '127.0.0.1'))`
    const rejected = `Promise.reject(new Error('of a promise')); setTimeout(() => socket.destroy(), 1)`
    const [own, deferred, foreign, ofDatagram, ofPromise, nothing, hostile] = await Promise.all([
      run("socket.on('data', () => { throw new Error('of a socket') })"),
      run("socket.destroy(new Error('of no listener'))"),
      run("setImmediate(() => { throw new Error('of no connection') })"),
      run(datagram),
      run(rejected),
      run('setTimeout(() => { throw undefined })'),
      run("socket.on('data', () => { throw new Proxy({}, { get() { throw new Error('trap') } }) })")
    ])
    const message = 'an event handler threw: its connection was closed'
    expect(own).to.deep.equal({ code: 0, out: JSON.stringify(['of a socket', message]) })
    expect(deferred).to.deep.equal({ code: 0, out: JSON.stringify(['of no listener', message]) })
    const [dropped, awaited] = [
      'a handler of datagrams threw: the datagram was dropped',
      'a promise was rejected that nothing awaits'
    ]
    expect(ofDatagram).to.deep.equal({ code: 0, out: `${JSON.stringify(['of a datagram', dropped])}\nserved` })
    expect(ofPromise).to.deep.equal({ code: 0, out: JSON.stringify(['of a promise', awaited]) })
    expect(nothing.code, 'what nothing is known of').to.equal(1)
    expect(nothing.out).to.match(/^\["undefined","a value without a stack was thrown/)
    expect(hostile).to.deep.equal({
      code: 0,
      out: JSON.stringify(['a value was thrown whose fields throw when they are read', message])
    })
    expect(foreign, 'what belongs to no connection ends the process').to.deep.equal({ code: 1, out: '' })
  })
})
