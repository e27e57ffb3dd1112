import { selfSigned } from '@rystra/certificates'
import { expect } from 'chai'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import tls from 'node:tls'
import { answerChallenge } from '../src/challenge.js'

describe('the answer to TLS-ALPN-01', () => {
  const server = net.createServer({ allowHalfOpen: true })
  const arrived: net.Socket[] = []
  let port: number

  before(async () => {
    const certificate = await selfSigned({ commonName: 'web.localhost', names: ['web.localhost'], keyType: 'ec' })
    server.on('connection', (socket) => {
      arrived.push(socket.on('error', () => {}))
      answerChallenge(socket, certificate)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  })
  after(() => {
    for (const socket of arrived) socket.destroy()
    server.close()
  })

  it('is a certificate for the host', async () => {
    const options = { port, host: '127.0.0.1', servername: 'web.localhost', ALPNProtocols: ['acme-tls/1'] }
    const socket = tls.connect({ ...options, rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    expect([socket.alpnProtocol, socket.getPeerCertificate().subjectaltname]).deep.equal([
      'acme-tls/1',
      'DNS:web.localhost'
    ])
    socket.destroy()
  })

  it('closes a connection that ends before its handshake', async () => {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    socket.end().resume()
    await once(socket, 'end', { signal: AbortSignal.timeout(5000) })
    socket.destroy()
  })
})
