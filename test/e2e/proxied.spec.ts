import { issueServer, makeAuthority } from '@rystra/certificates'
import { type Logger, silentLog } from '@rystra/model'
import { defineExtension, type StreamInfo } from '@rystra/plugin'
import proxyHttp from '@rystra/proxy-http'
import proxyHttps from '@rystra/proxy-https'
import transportHttp2 from '@rystra/transport-http2'
import transportQuic from '@rystra/transport-quic'
import transportTls from '@rystra/transport-tls'
import transportWs from '@rystra/transport-ws'
import { freePort } from '@rystra/testkit'
import { expect } from 'chai'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { proxyHeader, type ProxyProtocolVersion } from '../../framework/client/src/proxy-protocol.js'
import { startHttpService } from './http-world.js'
import {
  ask,
  cleanUp,
  codeOf,
  echo,
  later,
  makeClient,
  portOf,
  preset as usual,
  startClient,
  startServer,
  startService,
  visitorPort
} from './tunnel.js'

/** Whence the load balancer dials. */
const BALANCER = '127.0.0.7'
const CLIENT = { host: '203.0.113.9', port: 4711 }
const transports = [...usual, transportTls, transportWs, transportHttp2, transportQuic]
const preset = [...transports, proxyHttp, proxyHttps]

/** A load balancer in front of a port: puts a header in front of each connection. */
const balance = async (
  port: number,
  version: ProxyProtocolVersion = 'v2',
  { from = BALANCER, client = CLIENT }: { from?: string; client?: typeof CLIENT } = {}
): Promise<number> => {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    const upstream = net.connect({ port, host: '127.0.0.1', localAddress: from, allowHalfOpen: true })
    const header = proxyHeader(version, { ...client, to: { host: '198.51.100.1', port: 443 } })
    // In two pieces, so that the end of the header comes by itself.
    upstream.write(header.subarray(0, 5))
    upstream.write(header.subarray(5))
    socket.pipe(upstream).pipe(socket)
    socket.on('error', () => upstream.destroy())
    upstream.on('error', () => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  later(() => server.close())
  return (server.address() as AddressInfo).port
}

describe('a load balancer that speaks the PROXY protocol', () => {
  afterEach(cleanUp)

  const proxyProtocolFrom = [BALANCER]

  for (const transport of ['tcp', 'tls', 'ws', 'wss', 'http2', 'h2c']) {
    for (const version of ['v1', 'v2'] as const) {
      it(`has clients over ${transport} with their addresses, ${version}`, async () => {
        const visited: StreamInfo[] = []
        const hooks: string[] = []
        const observer = defineExtension({
          name: 'observer',
          setup: ({ hooks: { onHello, onOpenStream } }) => {
            onHello.tapPromise(async ({ peer }) => {
              hooks.push(`${peer.address}:${peer.port}`)
              return undefined
            })
            onOpenStream.tap((stream) => void visited.push(stream))
          }
        })
        const listen = [{ transport, host: '127.0.0.1', port: 0, proxyProtocolFrom }]
        const logged: unknown[] = []
        const info = (fields: unknown, message?: string): void => {
          if (message === 'connected') logged.push((fields as { peer?: unknown }).peer)
        }
        const log: Logger = { ...silentLog, info, child: () => log }
        const server = await startServer({ listen }, [observer], { preset: transports, log })
        const [listening] = server.listening
        const connect = { transport, host: '127.0.0.1', port: await balance(portOf(server), version) }
        const local = await startService(echo)
        const client = await startClient(
          0,
          [{ name: 'x', kind: 'tcp', local }],
          { connect: { ...connect, ...listening?.join } },
          [],
          { preset: transports }
        )
        expect(server.sessions.map(({ peer: { address, port } }) => ({ host: address, port }))).to.deep.equal([CLIENT])
        expect(hooks).to.deep.equal(['203.0.113.9:4711'])
        expect(logged, 'the peer in the log').to.deep.equal(['203.0.113.9:4711'])
        expect(await ask(visitorPort(client, 'x'), 'all of it')).to.equal('all of it')
        expect(visited[0]?.session.peer.address).to.equal(CLIENT.host)
      })
    }
  }

  it('is believed by its address alone', async () => {
    const listen = [{ transport: 'tcp', host: '127.0.0.1', port: 0, proxyProtocolFrom }]
    const server = await startServer({ listen })
    await startClient(portOf(server), [])
    expect(server.sessions[0]?.peer.address, 'a client that comes without it').to.equal('127.0.0.1')
    const forged = await balance(portOf(server), 'v1', { from: '127.0.0.8' })
    const other = await makeClient(forged, [], { id: 'other', reconnect: { attempts: 0 } })
    expect(await codeOf(other.start())).to.be.oneOf(['protocol.not-rystra', 'connect.reset', 'session.lost'])
    expect(server.sessions.length).to.equal(1)
  })

  it('is cut off where it sends no header', async () => {
    const listen = [{ transport: 'tcp', host: '127.0.0.1', port: 0, proxyProtocolFrom }]
    const server = await startServer({ listen })
    const socket = net.connect({ port: portOf(server), host: '127.0.0.1', localAddress: BALANCER })
    socket.on('error', () => {})
    socket.write('RYS and more')
    await once(socket, 'close')
    expect(server.connections).to.deep.equal({})
  })

  it('may probe whether a port is open', async () => {
    const listen = [{ transport: 'tcp', host: '127.0.0.1', port: 0, proxyProtocolFrom }]
    const server = await startServer({ listen })
    const socket = net.connect({ port: portOf(server), host: '127.0.0.1', localAddress: BALANCER }, () => socket.end())
    await once(socket, 'close')
    await startClient(portOf(server), [])
    expect(server.sessions.length).to.equal(1)
  })

  it('in front of a transport without TCP is a mistake of the configuration', async () => {
    const listen = [{ transport: 'quic', host: '127.0.0.1', port: 0, proxyProtocolFrom }]
    expect(await codeOf(startServer({ listen }, [], { preset: transports }))).to.equal('config.invalid')
  })

  it('has visitors of http and https with their addresses, and the header is not for the service', async () => {
    const authority = await makeAuthority({ commonName: 'tests', keyType: 'ec' })
    const { cert, key } = await issueServer(authority, { commonName: 'app', names: ['app.localhost'], keyType: 'ec' })
    const dir = mkdtempSync(path.join(tmpdir(), 'rystra-proxied-'))
    later(() => rmSync(dir, { recursive: true }))
    writeFileSync(`${dir}/cert.pem`, cert)
    writeFileSync(`${dir}/key.pem`, key)
    const [webPort, securePort] = [await freePort(), await freePort()]
    const server = await startServer(
      {},
      [
        proxyHttp({ listen: [{ host: '127.0.0.1', port: webPort, proxyProtocolFrom }] }),
        proxyHttps({
          listen: [{ host: '127.0.0.1', port: securePort, proxyProtocolFrom }],
          certificates: [{ hosts: ['app.localhost'], cert: `${dir}/cert.pem`, key: `${dir}/key.pem` }]
        })
      ],
      { preset }
    )
    const { port: local } = await startHttpService((request, response) => {
      response.end(`${request.headers['x-forwarded-for']} ${request.headers['x-forwarded-proto']}`)
    })
    const hosts = { name: 'web', kind: 'http', local, host: 'app.localhost' }
    await startClient(portOf(server), [hosts], {}, [], { preset })
    const text = async (response: http.IncomingMessage): Promise<string> => {
      let all = ''
      for await (const chunk of response) all += String(chunk)
      return all
    }
    const headers = { host: 'app.localhost' }
    const plain = http.get({ host: '127.0.0.1', port: await balance(webPort), headers, agent: false })
    const [answer] = (await once(plain, 'response')) as [http.IncomingMessage]
    expect(await text(answer)).to.equal('203.0.113.9 http')
    const options = { headers, agent: false, servername: 'app.localhost', ca: authority.cert }
    const secure = https.get({ host: '127.0.0.1', port: await balance(securePort, 'v1'), ...options })
    const [sealed] = (await once(secure, 'response')) as [http.IncomingMessage]
    expect(await text(sealed)).to.equal('203.0.113.9 https')
  })

  it('has visitors of the ports of proxies with their addresses', async () => {
    const visited: StreamInfo[] = []
    const observer = defineExtension({
      name: 'observer',
      setup: ({ hooks: { onOpenStream } }) => void onOpenStream.tap((stream) => void visited.push(stream))
    })
    const server = await startServer({ publish: { proxyProtocolFrom } }, [observer])
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local: await startService(echo) }])
    const port = visitorPort(client, 'x')
    for (const version of ['v1', 'v2'] as const) {
      expect(await ask(await balance(port, version), 'all of it')).to.equal('all of it')
    }
    expect(await ask(port, 'without it')).to.equal('without it')
    expect(visited.map(({ visitor: { host } }) => host)).to.deep.equal([CLIENT.host, CLIENT.host, '127.0.0.1'])
    expect(visited[0]?.visitor.to).to.deep.equal({ host: '198.51.100.1', port: 443 })
  })
})
