import { type KeyPair, issueClient, makeAuthority } from '@rystra/certificates'
import { authenticateToServer } from '@rystra/session'
import { expect } from 'chai'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import net from 'node:net'
import tls from 'node:tls'
import { askAt, ClusterWorld } from './cluster-world.js'
import {
  cleanUp,
  echo,
  endOf,
  failure,
  freePort,
  later,
  portOf,
  startClient,
  startService,
  until,
  visitorPort
} from './tunnel.js'

const B = '127.0.0.2'

describe('the port for other servers', () => {
  afterEach(cleanUp)

  const start = async () => {
    const world = await ClusterWorld.open()
    const port = await freePort()
    const a = await world.start('a', { cluster: { port } })
    const refusals: string[] = []
    a.on('refused', ({ error }) => refusals.push(`${error.code}: ${error.detail ?? ''}`))
    return { world, a, port, refusals }
  }

  const connect = async (world: ClusterWorld, port: number, name: string): Promise<tls.TLSSocket> => {
    const socket = tls.connect({
      host: '127.0.0.1',
      port,
      ALPNProtocols: ['rystra/1'],
      servername: 'a.rystra.internal',
      ca: await readFile(world.file('ca.pem')),
      cert: await readFile(world.file(`${name}.pem`)),
      key: await readFile(world.file(`${name}-key.pem`))
    })
    later(() => socket.destroy())
    return socket
  }

  /** The handshake of a member that says these things. */
  const shake = async (socket: tls.TLSSocket, id: string, proof: object): Promise<unknown> => {
    socket.on('error', () => {})
    await once(socket, 'secureConnect')
    return authenticateToServer(socket, {
      offer: { id, instance: 'i', agent: 'rystra/0', muxers: ['yamux'] },
      authenticators: {
        list: () => ['cluster'],
        get: () => ({ method: 'cluster', prove: () => ({ proof: Buffer.from(JSON.stringify(proof)) }) })
      },
      peer: { address: '127.0.0.1', port },
      signal: AbortSignal.timeout(10_000)
    })
  }
  let port = 0

  it('is closed to peers without a certificate of a member', async () => {
    const { world, port } = await start()
    const tunnel = await makeAuthority({ commonName: 'tunnel', keyType: 'ec' })
    await world.certify('foreign', tunnel)
    await world.certify('expired', undefined, new Date('2020-01-01'))
    const client: KeyPair = await issueClient(tunnel, { commonName: 'home', keyType: 'ec' })
    await writeFile(world.file('client.pem'), client.cert)
    await writeFile(world.file('client-key.pem'), client.key)
    for (const name of ['foreign', 'expired', 'client']) {
      const socket = await connect(world, port, name)
      const error = await failure(shake(socket, name, {}))
      expect(error.code, name).to.be.oneOf(['tls.untrusted', 'tls.expired', 'session.lost', 'ECONNRESET'])
    }
    const plain = net.connect(port, '127.0.0.1')
    later(() => plain.destroy())
    plain.write('GET / HTTP/1.1\r\n\r\n')
    await endOf(plain)
  })

  it('refuses another member, another cluster and another version, each with a code', async () => {
    const { world, refusals, ...started } = await start()
    port = started.port
    await world.certify('b')
    const good = { version: 1, cluster: 'rystra', to: 'a' }
    const wrong: [string, object, RegExp][] = [
      ['c', good, /its certificate is not for c\.rystra\.internal/],
      ['b', { ...good, cluster: 'another' }, /it is of another cluster/],
      ['b', { ...good, version: 2 }, /it speaks version 2 of the cluster/],
      ['b', { ...good, to: 'z' }, /it wanted to reach z/],
      ['b', [], /it speaks version undefined/]
    ]
    for (const [id, proof, reason] of wrong) {
      const error = await failure(shake(await connect(world, port, 'b'), id, proof))
      expect(error.code, String(reason)).to.equal('auth.refused')
      expect(refusals.at(-1)).to.match(reason)
    }
    expect(await shake(await connect(world, port, 'b'), 'b', good)).to.have.property('ok')
  })

  it('does not grow with peers that send nothing, and accepts members all the same', async () => {
    const { world, a, port, refusals } = await start()
    await world.certify('b')
    const silent = await Promise.all(Array.from({ length: 80 }, () => connect(world, port, 'b')))
    for (const socket of silent) socket.on('error', () => {})
    await Promise.all(silent.map((socket) => once(socket, 'secureConnect')))
    await until(
      () => refusals.filter((one) => /too many handshakes/.test(one)).length >= 16,
      'the oldest to be refused'
    )
    await world.start('b')
    const client = await startClient(portOf(a), [{ name: 'x', kind: 'tcp', local: await startService(echo) }])
    await until(async () => (await askAt(B, visitorPort(client, 'x'), 'hello')) === 'hello', 'an answer over the link')
  })
})
