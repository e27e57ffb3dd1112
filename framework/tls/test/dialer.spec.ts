import { expect } from 'chai'
import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { HandshakeWorld } from './handshake-world.js'
import { certificates, failure, until } from './world.js'

describe('a client of TLS', () => {
  let world: HandshakeWorld

  beforeEach(async () => {
    world = new HandshakeWorld()
    world.write('ca.pem', (await certificates()).ca.cert)
  })

  afterEach(() => world.end())

  it('reports a peer that does not speak TLS', async () => {
    const answers: [Buffer | undefined, string][] = [
      [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'tls.not-tls'],
      [Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'), 'tls.not-tls'],
      [undefined, 'connect.unreachable']
    ]
    for (const [answer, code] of answers) {
      const server = net.createServer((socket) => {
        socket.on('error', () => {})
        socket.once('data', () => (answer === undefined ? socket.destroy() : socket.end(answer)))
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      world.later(() => server.close())
      const { port } = server.address() as AddressInfo
      const error = await failure(world.dial(port, { ca: 'ca.pem' }))
      expect(error.code, String(answer)).to.equal(code)
      expect(error.detail).to.include(`tls localhost:${port}`)
    }
  })

  it('can be aborted by the dialing side at any time and at the deadline', async () => {
    const heard: Socket[] = []
    // Node 20 ends the connection of a handshake that is given up, and Node 24 resets it.
    const server = net.createServer((socket) => void heard.push(socket.on('error', () => {})))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    world.later(() => server.close())
    const { port } = server.address() as AddressInfo
    const aborted = AbortSignal.abort(new Error('enough'))
    expect((await failure(world.dial(port, { ca: 'ca.pem' }, { signal: aborted }))).detail).to.include('enough')
    const giveUp = new AbortController()
    const dialing = failure(world.dial(port, { ca: 'ca.pem' }, { signal: giveUp.signal }))
    await until(() => heard.length === 2)
    giveUp.abort()
    expect((await dialing).code).to.equal('connect.unreachable')
    const waiting = failure(world.dial(port, { ca: 'ca.pem' }))
    await until(() => heard.length === 3 && world.clock.pending === 1)
    world.clock.advance(10_000)
    expect((await waiting).code).to.equal('tls.handshake')
    for (const socket of heard) socket.resume()
    await until(() => heard.every(({ destroyed }) => destroyed))
  })
})
