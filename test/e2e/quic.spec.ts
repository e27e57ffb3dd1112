import { once } from 'node:events'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import dgram from 'node:dgram'
import { fingerprintOf, selfSigned } from '@rystra/certificates'
import { defineExtension } from '@rystra/plugin'
import type { Server } from '@rystra/server'
import transportQuic from '@rystra/transport-quic'
import { expect } from 'chai'
import {
  cleanUp,
  echo,
  later,
  portOf,
  readAll,
  startClient,
  startServer,
  startService,
  until,
  visit,
  visitorPort
} from './tunnel.js'

/** A NAT between client and server, which can forget the client, lose what comes back, and count. */
const startNat = async (server: number) => {
  const bound = async (): Promise<dgram.Socket> => {
    const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return socket
  }
  const front = await bound()
  let client = 0
  let back: dgram.Socket
  const state = { port: front.address().port, lets: 'all' as 'all' | 'up' | 'nothing', forgot: 0, down: 0 }
  const listen = (socket: dgram.Socket): dgram.Socket =>
    socket.on('message', (packet) => {
      state.down += 1
      if (state.lets === 'all') front.send(packet, client, '127.0.0.1')
    })
  back = listen(await bound())
  front.on('message', (packet, { port }) => {
    client = port
    if (state.lets !== 'nothing') back.send(packet, server, '127.0.0.1')
  })
  later(() => {
    front.close()
    back.close()
  })
  const forget = async (): Promise<void> => {
    state.forgot += 1
    const next = listen(await bound())
    back.close()
    back = next
  }
  return Object.assign(state, { forget })
}

describe('a tunnel over quic', () => {
  let dir: string
  let fingerprint: string

  before(async () => {
    dir = mkdtempSync(path.join(tmpdir(), 'rystra-e2e-quic-'))
    const pair = await selfSigned({ keyType: 'ec', commonName: 'test', names: ['localhost'] })
    fingerprint = fingerprintOf(pair.cert)
    writeFileSync(path.join(dir, 'cert.pem'), pair.cert)
    writeFileSync(path.join(dir, 'key.pem'), pair.key)
  })
  after(() => rmSync(dir, { recursive: true, force: true }))
  afterEach(cleanUp)

  const serve = (extensions: Parameters<typeof startServer>[1] = [transportQuic()]): Promise<Server> => {
    const files = { cert: path.join(dir, 'cert.pem'), key: path.join(dir, 'key.pem') }
    return startServer({ listen: [{ transport: 'quic', host: '127.0.0.1', port: 0, ...files }] }, extensions)
  }
  const to = (port: number) => ({ connect: { transport: 'quic', host: '127.0.0.1', port, fingerprint } })

  it('carries visitors both ways', async () => {
    const server = await serve()
    const proxies = [{ name: 'svc', kind: 'tcp', local: `127.0.0.1:${await startService(echo)}` }]
    const client = await startClient(portOf(server), proxies, to(portOf(server)), [transportQuic()])
    expect(client.session).to.include({ transport: 'quic', muxer: 'native' })
    const visitors = await Promise.all(Array.from({ length: 20 }, () => visit(visitorPort(client, 'svc'))))
    const all = await Promise.all(
      visitors.map((visitor) => {
        const bytes = randomBytes(50_000)
        visitor.end(bytes)
        return readAll(visitor).then((back) => back.equals(bytes))
      })
    )
    expect(all).to.deep.equal(Array.from({ length: 20 }, () => true))
  })

  it('goes on when the address of the client changes in the middle of a transfer', async () => {
    const server = await serve()
    const nat = await startNat(portOf(server))
    const bytes = randomBytes(4_000_000)
    const hash = createHash('sha256')
    let came = 0
    let whole: (() => void) | undefined
    const arrived = new Promise<void>((resolve) => {
      whole = resolve
    })
    const port = await startService((socket) => {
      socket.on('data', (chunk) => {
        hash.update(chunk)
        came += chunk.length
        if (came > bytes.length / 4 && nat.forgot === 0) void nat.forget()
      })
      socket.on('end', () => {
        socket.end('got it')
        whole?.()
      })
    })
    const client = await startClient(
      nat.port,
      [{ name: 'svc', kind: 'tcp', local: `127.0.0.1:${port}` }],
      to(nat.port),
      [transportQuic()]
    )
    const id = client.session?.id
    const visitor = await visit(visitorPort(client, 'svc'))
    visitor.end(bytes)
    const answer = readAll(visitor)
    await arrived
    expect(String(await answer)).to.equal('got it')
    expect(nat.forgot).to.equal(1)
    expect(hash.digest('hex')).to.equal(createHash('sha256').update(bytes).digest('hex'))
    expect(client.session?.id).to.equal(id)
  })

  it('is heard in its first packets when it comes back', async () => {
    let hellos = 0
    const counting = defineExtension({
      name: 'counting',
      setup({ hooks }) {
        hooks.onHello.tap(() => {
          hellos += 1
        })
      }
    })
    const quick = transportQuic({ idleTimeout: 1000, keepAlive: 300, retryAbove: 64 })
    const server = await serve([quick, counting()])
    const nat = await startNat(portOf(server))
    const proxies = [{ name: 'svc', kind: 'tcp', local: `127.0.0.1:${await startService(echo)}` }]
    const client = await startClient(nat.port, proxies, to(nat.port), [quick])
    const before = client.session?.id
    const lost = once(client, 'disconnected')
    nat.lets = 'nothing'
    await lost
    expect(hellos).to.equal(1)
    nat.lets = 'up'
    nat.down = 0
    // Nothing that the server says gets through, so this Hello is in the first packets.
    await until(() => hellos > 1)
    const back = once(client, 'published')
    nat.lets = 'all'
    await back
    expect(client.session?.id).to.not.equal(before)
    const visitor = await visit(visitorPort(client, 'svc'))
    visitor.end('there and back')
    expect(String(await readAll(visitor))).to.equal('there and back')
  })
})
