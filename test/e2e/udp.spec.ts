import { randomBytes } from 'node:crypto'
import dgram from 'node:dgram'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { fingerprintOf, selfSigned } from '@rystra/certificates'
import transportQuic from '@rystra/transport-quic'
import type { Client } from '@rystra/client'
import type { ProxyEntry } from '@rystra/config'
import { type CloseStreamContext, defineExtension, type RystraError, type StreamInfo, Type } from '@rystra/plugin'
import proxyUdp from '@rystra/proxy-udp'
import { memoryTransport, MemoryStreamsNetwork } from '@rystra/testkit'
import type { Server } from '@rystra/server'
import { expect } from 'chai'
import { cleanUp, later, portOf, startClient, startServer, until, visitorPort } from './tunnel.js'

const bound = async (host = '127.0.0.1'): Promise<dgram.Socket> => {
  const socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4').bind(0, host)
  await once(socket, 'listening')
  later(() => socket.close())
  return socket
}

const echoService = async (host?: string): Promise<number> => {
  const socket = await bound(host)
  socket.on('message', (datagram, { address, port }) => socket.send(datagram, port, address))
  return (socket.address() as AddressInfo).port
}

const ask = async (
  visitor: dgram.Socket,
  port: number,
  datagram: Buffer | string,
  host = '127.0.0.1'
): Promise<Buffer> => {
  const answer = once(visitor, 'message')
  visitor.send(datagram, port, host)
  return (await answer)[0] as Buffer
}

/** Certificate and key of a server, made once. */
const certified = async (): Promise<{ files: { cert: string; key: string }; fingerprint: string }> => {
  const dir = mkdtempSync(path.join(tmpdir(), 'rystra-e2e-udp-'))
  later(() => rmSync(dir, { recursive: true, force: true }))
  const pair = await selfSigned({ keyType: 'ec', commonName: 'test', names: ['localhost'] })
  const files = { cert: path.join(dir, 'cert.pem'), key: path.join(dir, 'key.pem') }
  writeFileSync(files.cert, pair.cert)
  writeFileSync(files.key, pair.key)
  return { files, fingerprint: fingerprintOf(pair.cert) }
}

type Way = 'yamux' | 'direct' | 'datagrams' | 'reliable' | 'quic'

type Extensions = NonNullable<Parameters<typeof startServer>[1]>

/** A tunnel with one proxy `svc`, in one of the ways in which datagrams can go. */
const startTunnel = async (
  way: Way,
  proxy: Partial<ProxyEntry>,
  { server: more = [], client: others = [proxyUdp()] }: { server?: Extensions; client?: Extensions } = {}
): Promise<{ server: Server; client: Client; port: number; network: MemoryStreamsNetwork }> => {
  const network = new MemoryStreamsNetwork()
  const memory = memoryTransport(network)()
  const { files, fingerprint } = way === 'quic' ? await certified() : { files: {}, fingerprint: undefined }
  const name = way === 'quic' ? 'quic' : way === 'datagrams' || way === 'reliable' ? 'memory-streams' : 'tcp'
  const transports = way === 'quic' ? [transportQuic()] : [memory]
  const at = { transport: name, host: '127.0.0.1' }
  const server = await startServer({ listen: [{ ...at, port: 0, ...files }] }, [...transports, proxyUdp(), ...more])
  const how = name === 'tcp' ? { muxer: way } : fingerprint === undefined ? {} : { fingerprint }
  const client = await startClient(
    portOf(server),
    [{ name: 'svc', kind: 'udp', reliable: way === 'reliable', ...proxy } as ProxyEntry],
    { connect: { ...at, port: portOf(server), ...how } },
    [...transports, ...others]
  )
  return { server, client, port: visitorPort(client, 'svc'), network }
}

const refused = async (proxy: Partial<ProxyEntry>): Promise<RystraError> => {
  const { client } = await startTunnel('yamux', { local: 9 })
  return client.publish({ name: 'other', kind: 'udp', local: 9, ...proxy } as ProxyEntry).then(
    () => expect.fail('it was not refused'),
    (error: RystraError) => error
  )
}

describe('UDP through a tunnel', () => {
  afterEach(cleanUp)

  for (const way of ['yamux', 'direct', 'datagrams', 'reliable', 'quic'] as const) {
    it(`keeps boundaries from 0 to 65,507 bytes: ${way}`, async () => {
      const { port } = await startTunnel(way, { local: await echoService() })
      const visitor = await bound()
      for (const size of [0, 1, 2, 100, 1191, 1192, 1193, 1200, 1472, 4096, 9000, 40_000, 65_506, 65_507]) {
        const datagram = randomBytes(size)
        expect((await ask(visitor, port, datagram)).equals(datagram), `${size} bytes`).to.equal(true)
      }
    })

    it(`keeps visitors apart, many at once: ${way}`, async () => {
      const { port } = await startTunnel(way, { local: await echoService() })
      const visitors = await Promise.all(Array.from({ length: 50 }, () => bound()))
      for (let round = 0; round < 5; round += 1) {
        const answers = await Promise.all(visitors.map((visitor, index) => ask(visitor, port, `${round} of ${index}`)))
        expect(answers.map(String)).to.deep.equal(visitors.map((_, index) => `${round} of ${index}`))
      }
    })
  }

  it('sends what does not fit into the datagrams of the session over the stream, and all else beside it', async () => {
    const { server, port } = await startTunnel('datagrams', { local: await echoService() })
    const closed: CloseStreamContext[] = []
    server.on('streamClose', (stream) => closed.push(stream))
    const visitor = await bound()
    await ask(visitor, port, Buffer.alloc(50_000, 'a'))
    await ask(visitor, port, 'small')
    await server.stop({ drain: 0 })
    expect(closed.map(({ bytesToService, bytesToVisitor }) => [bytesToService, bytesToVisitor])).to.deep.equal([
      [50_005, 50_005]
    ])
  })

  it('serves visitors and services of IPv6', async () => {
    const local = `[::1]:${await echoService('::1')}`
    const server = await startServer({ publish: { host: '::1', ports: ['1024-65535'] } }, [proxyUdp()])
    const client = await startClient(portOf(server), [{ name: 'svc', kind: 'udp', local } as ProxyEntry], {}, [
      proxyUdp()
    ])
    expect(client.proxies[0]?.address).to.match(/^\[::1\]:\d+$/)
    expect(String(await ask(await bound('::1'), visitorPort(client, 'svc'), 'six', '::1'))).to.equal('six')
  })

  it('has one stream for all visitors; hooks, events and limits see each of them', async () => {
    const opened: StreamInfo[] = []
    const over: CloseStreamContext[] = []
    const watch = defineExtension({
      name: 'hook-watch',
      setup({ hooks }) {
        hooks.onOpenStream.tap((stream) => {
          opened.push(stream)
          return stream.visitor.host === '127.0.0.9' ? { deny: 'not from there' } : undefined
        })
        hooks.onCloseStream.tap((stream) => void over.push(stream))
      }
    })
    const { server, port } = await startTunnel(
      'yamux',
      { local: await echoService(), maxConnections: 2 },
      { server: [watch()] }
    )
    const refusals: string[] = []
    server.on('refused', ({ error }) => refusals.push(error.code))
    const [one, two, late, unwanted] = [await bound(), await bound(), await bound(), await bound('127.0.0.9')]
    unwanted.send('hello', port, '127.0.0.1')
    await until(() => refusals.length === 1)
    await ask(one, port, 'first')
    await ask(two, port, 'second')
    late.send('too many', port, '127.0.0.1')
    await until(() => refusals.length === 2)
    expect(refusals).to.deep.equal(['stream.refused', 'stream.limit'])
    expect(opened.map(({ visitor }) => visitor.host)).to.deep.equal([
      '127.0.0.9',
      '127.0.0.1',
      '127.0.0.1',
      '127.0.0.1'
    ])
    expect(opened[1]?.visitor).to.deep.equal({
      host: '127.0.0.1',
      port: (one.address() as AddressInfo).port,
      to: { host: '127.0.0.1', port }
    })
    expect(over.map(({ reason }) => reason)).to.deep.equal(['refused', 'refused'])
    await server.stop({ drain: 0 })
    expect(over.slice(2).map(({ bytesToService, bytesToVisitor }) => [bytesToService, bytesToVisitor])).to.deep.equal([
      [5, 5],
      [6, 6]
    ])
  })

  it('is over for a visitor who is quiet, at both ends, and begins anew when one comes again', async () => {
    const over: CloseStreamContext[] = []
    const watch = defineExtension({
      name: 'hook-watch',
      setup: ({ hooks }) => hooks.onCloseStream.tap((stream) => void over.push(stream))
    })
    const ports: number[] = []
    const service = await bound()
    service.on('message', (datagram, { address, port: from }) => {
      ports.push(from)
      service.send(datagram, from, address)
    })
    const local = (service.address() as AddressInfo).port
    const { port } = await startTunnel('datagrams', { local, sessionTimeout: '200ms' }, { server: [watch()] })
    const visitor = await bound()
    expect(String(await ask(visitor, port, 'first'))).to.equal('first')
    await until(() => over.length === 1)
    const { reason, bytesToService, bytesToVisitor, visitor: source } = over[0] as CloseStreamContext
    expect([reason, bytesToService, bytesToVisitor]).to.deep.equal(['end', 5, 5])
    expect(source.port).to.equal((visitor.address() as AddressInfo).port)
    expect(String(await ask(visitor, port, 'again'))).to.equal('again')
    await until(() => over.length === 2)
    expect(new Set(ports).size, 'ports from which the service was asked').to.equal(2)
  })

  it('keeps to the limits of the proxy for each visitor', async () => {
    const seen: string[] = []
    const service = await bound()
    service.on('message', (datagram, { address, port: from }) => {
      seen.push(String(datagram))
      service.send(datagram, from, address)
    })
    const local = (service.address() as AddressInfo).port
    const { port } = await startTunnel('yamux', { local, maxSessionsPerVisitor: 1, packetsPerVisitor: 5 })
    const [flooding, other] = [await bound('127.0.0.7'), await bound('127.0.0.8')]
    for (let count = 0; count < 200; count += 1) flooding.send(`flood ${count}`, port, '127.0.0.1')
    expect(String(await ask(other, port, 'calm'))).to.equal('calm')
    await until(() => seen.some((text) => text.startsWith('flood')))
    // What the bucket holds, and what comes in while this runs on a slow machine.
    expect(seen.filter((text) => text.startsWith('flood'))).to.have.length.below(150)
  })

  it('refuses visitors whose bytes a hook wants to put a transform around, by a code', async () => {
    const { PassThrough } = await import('node:stream')
    const shaping = defineExtension({
      name: 'hook-shape',
      setup: ({ hooks }) => hooks.onOpenStream.tap(({ through }) => through({ toService: new PassThrough() }))
    })
    const { server, port } = await startTunnel('yamux', { local: await echoService() }, { server: [shaping()] })
    const refusal = once(server, 'refused')
    ;(await bound()).send('x', port, '127.0.0.1')
    const [{ error }] = (await refusal) as [{ error: RystraError }]
    expect(error.code).to.equal('stream.refused')
    expect(error.detail).to.include('concerns')
  })

  it('goes on after the link was lost', async () => {
    const { client, port, network } = await startTunnel('datagrams', { local: await echoService() })
    const visitor = await bound()
    await ask(visitor, port, 'before')
    const first = client.session?.id
    network.cut()
    await until(() => client.session !== undefined && client.session.id !== first && client.proxies.length === 1)
    expect(visitorPort(client, 'svc'), 'the same port').to.equal(port)
    expect(String(await ask(visitor, port, 'after'))).to.equal('after')
  })

  it('does not mind that the service is away', async () => {
    const { client, port } = await startTunnel('yamux', { local: await echoService() })
    const [away] = await client.publish({ name: 'away', kind: 'udp', local: 1 } as ProxyEntry)
    const visitor = await bound()
    for (let count = 0; count < 20; count += 1) visitor.send('x', Number(away?.address.split(':')[1]), '127.0.0.1')
    expect(String(await ask(visitor, port, 'the other works'))).to.equal('the other works')
    expect(client.session).to.not.equal(undefined)
  })

  it('resets the stream of a client that sends garbage, and nothing else', async () => {
    let garbage = 0
    const rogue = defineExtension({
      name: 'proxy-udp',
      setup({ registries }) {
        registries.proxies.add({
          kind: 'udp',
          localFields: ['local'],
          spec: Type.Object({ local: Type.Any(), reliable: Type.Optional(Type.Boolean()) }),
          publish: () => Promise.reject(new Error('a client publishes nothing')),
          reach: async (_, host) => {
            const stream = host.accept()
            stream.on('error', () => {})
            stream.resume()
            garbage += 1
            stream.write(
              Buffer.concat([Buffer.from([0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 1, 0xff, 0xfa]), randomBytes(5000)])
            )
            await once(stream, 'close')
          }
        })
      }
    })
    const { client, port } = await startTunnel('yamux', { local: 9 }, { client: [rogue()] })
    const visitor = await bound()
    const first = client.session?.id
    const again = setInterval(() => visitor.send('x', port, '127.0.0.1'), 5)
    await until(() => garbage === 3)
    clearInterval(again)
    expect(client.session?.id).to.equal(first)
  })

  for (const [field, value] of Object.entries({
    group: 'many',
    healthCheck: {},
    proxyProtocol: 'v2',
    idleTimeout: '10s',
    local: 'host:0'
  })) {
    it(`refuses a proxy with \`${field}\` that cannot be`, async () => {
      const error = await refused({ [field]: value })
      expect(error.code).to.equal('proxy.invalid')
      expect(error.detail).to.include(field)
    })
  }

  it('answers dig', async function () {
    const dns = await bound()
    dns.on('message', (query, { address, port }) => {
      // The question back as it is, one answer: its name, A, IN, 60 s, 192.0.2.7.
      const end = query.indexOf(0, 12) + 5
      const head = Buffer.from([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0])
      const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7])
      dns.send(Buffer.concat([query.subarray(0, 2), head, query.subarray(12, end), answer]), port, address)
    })
    const { port } = await startTunnel('yamux', { local: (dns.address() as AddressInfo).port })
    const dig = promisify(execFile)('dig', [
      '@127.0.0.1',
      '-p',
      String(port),
      '+short',
      '+time=5',
      'tunnel.example',
      'A'
    ])
    const { stdout } = await dig.catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') this.skip()
      throw error
    })
    expect(stdout.trim()).to.equal('192.0.2.7')
  })
})
