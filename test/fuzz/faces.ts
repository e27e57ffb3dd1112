import dgram from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import net, { type AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import adminHttp from '@rystra/admin-http'
import { adminSocketPath } from '@rystra/admin-http/socket'
import authToken from '@rystra/auth-token'
import { type Client, createClient } from '@rystra/client'
import type { Logger } from '@rystra/model'
import type { ExtensionUse } from '@rystra/plugin'
import { Rpc } from '@rystra/rpc'
import inspectHttp from '@rystra/inspect-http'
import muxDirect from '@rystra/mux-direct'
import muxYamux from '@rystra/mux-yamux'
import observePrometheus from '@rystra/observe-prometheus'
import proxyHttp from '@rystra/proxy-http'
import proxyHttps from '@rystra/proxy-https'
import proxyPrivate from '@rystra/proxy-private'
import proxyTcp from '@rystra/proxy-tcp'
import proxyUdp from '@rystra/proxy-udp'
import { createServer, type Server } from '@rystra/server'
import transportHttp2 from '@rystra/transport-http2'
import transportQuic from '@rystra/transport-quic'
import transportTcp from '@rystra/transport-tcp'
import transportTls from '@rystra/transport-tls'
import transportWs from '@rystra/transport-ws'
import { freePort, type Random } from '@rystra/testkit'
import { ChallengeWorld } from './challenge-faces.js'
import { connected, Hostile, host, listened, secured } from './connections.js'
import type { Face } from './face.js'
import { GoodVisitors, SERVED_WITHIN_MS } from './good-visitors.js'
import { MdnsWorld, mdnsPacket } from './mdns.js'
import {
  adminMessages,
  anyMessages,
  h1Answers,
  h1Messages,
  h2Messages,
  linkMessages,
  type Messages,
  proxiedMessages,
  quicPackets,
  tlsMessages,
  tlsRecords,
  wsMessages
} from './messages.js'
import { rpcWorld } from './rpc-faces.js'
import { PeerWorld, servingFace, sessionFace } from './session-faces.js'

/** A server and clients with every face, in this process. */
export interface World {
  readonly faces: readonly Face[]
  readonly server: Server
  /** Sends one datagram to each face of datagrams. */
  sendDatagram(random: Random): void
  /** Accepted connections that are open, by listener. */
  connections(): Record<string, number>
  /** Rejects unless a visitor in good faith is served. */
  check(): Promise<void>
  close(): Promise<void>
}

const token = 'a-token-for-the-fuzzer-0123456789'
const free = [{ host, port: 0 }]
/** More than the datagrams after which a session of datagrams is served by @rystra/native. */
const DATAGRAMS_BEFORE = 40

const extensions = (redirectFrom: { host: string; port: number }[] = []) => [
  transportTcp({}),
  transportTls({}),
  transportWs({}),
  transportHttp2({}),
  transportQuic({}),
  muxYamux({}),
  muxDirect({}),
  authToken({ token, tokens: [{ identity: 'fuzz', token }] } as never),
  proxyTcp({}),
  proxyPrivate({}),
  proxyUdp({}),
  proxyHttp({ listen: free }),
  proxyHttps({ listen: free, certificates: [{ hosts: ['web.localhost'] }], redirectFrom })
]

/** Starts everything. `log` gets what both ends say. */
export const openWorld = async (log: Logger): Promise<World> => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'rystra-fuzz-'))
  const ending: (() => unknown)[] = [() => rmSync(dir, { recursive: true, force: true })]
  const later = (end: () => unknown): void => void ending.push(end)
  const [adminPort, adminTlsPort] = [await freePort(), await freePort()]
  const [metricsPort, redirectPort] = [await freePort(), await freePort()]
  const peers = new PeerWorld(dir, await freePort())
  const rpc = rpcWorld()
  const challenges = new ChallengeWorld()
  later(() => challenges.close())
  const mdns = new MdnsWorld()
  await mdns.open()
  later(() => mdns.close())
  const ofServer = [
    adminHttp({
      listen: [
        { host, port: adminPort },
        { host, port: adminTlsPort, tls: {} }
      ],
      tokens: [{ name: 'fuzz', token, scope: 'admin' }]
    }),
    observePrometheus({ listen: { host, port: metricsPort, path: '/metrics', hosts: [] } }),
    inspectHttp({}),
    rpc.onServer.extension,
    peers.extension,
    await challenges.extension()
  ]
  const transports = ['tcp', 'tls', 'ws', 'wss', 'h2c', 'http2', 'quic']
  const [onePort, proxiedPort] = [await freePort(), await freePort()]
  const web = http.createServer((request, response) => {
    request.resume()
    response.end('served')
  })
  const webPort = await listened(web)
  const server = await createServer(
    {
      extensions: [...extensions([{ host, port: redirectPort }]), ...ofServer],
      server: {
        listen: [
          ...transports.map((transport) => ({ transport, host, port: 0 })),
          { transport: 'ws', host, port: onePort, fallback: `${host}:${webPort}` },
          { transport: 'tcp', host, port: onePort },
          { transport: 'tls', host, port: onePort },
          { transport: 'tcp', host, port: proxiedPort, proxyProtocolFrom: [host] }
        ],
        publish: { host, ports: ['1024-65535'] },
        cluster: await peers.config()
      }
    } as never,
    { dir, stateDir: path.join(dir, 'server'), log }
  )
  await server.start()
  later(() => server.stop({ drain: 0 }))
  const portOf = (transport: string): number => server.listening.find((one) => one.transport === transport)?.port ?? 0

  const grpc = http2.createServer((request, response) => {
    request.resume()
    response.end('served')
  })
  grpc.on('sessionError', () => {})
  const echo = net.createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => {}).pipe(socket))
  const bad = new Hostile()
  const answering = dgram.createSocket('udp4').bind(0, host)
  await once(answering, 'listening')
  answering.on('message', (message, { port, address }) => answering.send(message, port, address))
  later(() => answering.close())
  for (const one of [web, grpc, echo, bad.server]) later(() => one.close())

  const make = (
    connect: object,
    proxies: object[],
    rest: object = {},
    more: readonly ExtensionUse[] = []
  ): Promise<Client> =>
    createClient(
      {
        extensions: [...extensions(), inspectHttp({}), ...more],
        client: { id: `fuzz-${ending.length}`, connect, proxies, ...rest, reconnect: { min: 1, max: 1 } }
      } as never,
      { dir, stateDir: path.join(dir, 'client'), log }
    )
  const start = async (
    connect: object,
    proxies: object[],
    rest: object = {},
    more: readonly ExtensionUse[] = []
  ): Promise<Client> => {
    const client = await make(connect, proxies, rest, more)
    later(() => client.stop({ drain: 0 }))
    await client.start()
    return client
  }
  const tcp = { transport: 'tcp', host, port: portOf('tcp') }
  const badPort = await listened(bad.server)
  const client = await start(tcp, [
    { name: 'web', kind: 'http', local: webPort, reuse: 'never' },
    { name: 'grpc', kind: 'http', local: await listened(grpc), h2: true },
    { name: 'bad', kind: 'http', local: badPort, reuse: 'never' },
    { name: 'badgrpc', kind: 'http', local: badPort, h2: true },
    { name: 'pass', kind: 'https', local: await listened(echo), subdomain: 'pass' },
    { name: 'echo', kind: 'tcp', local: (echo.address() as AddressInfo).port },
    { name: 'private', kind: 'private', secret: token, local: (echo.address() as AddressInfo).port },
    { name: 'dgram', kind: 'udp', local: (answering.address() as AddressInfo).port },
    {
      name: 'private-dgram',
      kind: 'private',
      secret: token,
      local: (answering.address() as AddressInfo).port,
      protocol: 'udp'
    }
  ])
  const direct = await start({ ...tcp, muxer: 'direct' }, [
    { name: 'direct', kind: 'tcp', local: (echo.address() as AddressInfo).port }
  ])
  const program = new Rpc()
  await start(tcp, [], {}, [program.extension])
  await start(tcp, [], {}, [rpc.attacker])
  const [privatePort, privateUdpPort] = [await freePort(), await freePort()]
  await start(tcp, [], {
    forwards: [
      { name: 'private', kind: 'private', of: 'private', secret: token, bind: privatePort },
      { name: 'datagrams', kind: 'private', of: 'private-dgram', secret: token, bind: privateUdpPort, protocol: 'udp' }
    ]
  })
  const publicPort = (of: Client, name: string): number =>
    Number(/:(\d+)$/.exec(of.proxies.find((one) => one.name === name)?.address ?? '')?.[1])
  const [httpPort, httpsPort] = [publicPort(client, 'web'), publicPort(client, 'pass')]

  /** A visitor whose service is hostile. */
  const served =
    (name: string, upgrade: object = {}) =>
    async (): Promise<net.Socket> => {
      const headers = { host: `${name}.localhost`, ...upgrade }
      // Another case may have the connection to the service that this one waits for.
      const request = http.get({ host, port: httpPort, headers, agent: false, timeout: 3000 })
      request.on('timeout', () => request.destroy())
      request.on('error', () => {}).on('response', (response) => response.on('error', () => {}).resume())
      request.on('upgrade', (_response, socket) => socket.on('error', () => {}).destroy())
      return bad.next(request)
    }
  /** The same over HTTP/2, with a body. */
  const servedH2 = (name: string, more: object) => async (): Promise<net.Socket> => {
    const session = http2.connect(`http://${host}:${httpPort}`).on('error', () => {})
    session.setTimeout(3000, () => session.destroy())
    session.once('remoteSettings', () => {
      if (session.destroyed) return
      const request = session.request({ ':method': 'POST', ':authority': `${name}.localhost`, ...more })
      request.on('error', () => {}).on('close', () => session.close())
      request.resume().end('body')
    })
    return bad.next(session)
  }
  const connect = { ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http', ':path': '/' }

  const faces: Face[] = [
    { name: 'tcp', messages: linkMessages, connect: () => connected(portOf('tcp')) },
    { name: 'tls', messages: await tlsMessages('localhost', ['rystra/1']), connect: () => connected(portOf('tls')) },
    { name: 'tls-inside', messages: linkMessages, connect: () => secured(portOf('tls'), 'localhost', ['rystra/1']) },
    { name: 'ws', messages: wsMessages('client'), connect: () => connected(portOf('ws')) },
    {
      name: 'wss',
      messages: wsMessages('client'),
      connect: () => secured(portOf('wss'), 'localhost', ['http/1.1'])
    },
    { name: 'h2c', messages: h2Messages('localhost', 'client'), connect: () => connected(portOf('h2c')) },
    {
      name: 'http2',
      messages: h2Messages('localhost', 'client'),
      connect: () => secured(portOf('http2'), 'localhost', ['h2'])
    },
    { name: 'http', messages: h1Messages('web.localhost'), connect: () => connected(httpPort) },
    { name: 'http-h2c', messages: h2Messages('web.localhost', 'client'), connect: () => connected(httpPort) },
    { name: 'http-grpc', messages: h2Messages('grpc.localhost', 'client'), connect: () => connected(httpPort) },
    {
      name: 'https',
      messages: await tlsMessages('web.localhost', ['h2', 'http/1.1']),
      connect: () => connected(httpsPort)
    },
    {
      name: 'https-pass',
      messages: await tlsMessages('pass.localhost', ['http/1.1']),
      connect: () => connected(httpsPort)
    },
    {
      name: 'https-h1',
      messages: h1Messages('web.localhost'),
      connect: () => secured(httpsPort, 'web.localhost', ['http/1.1'])
    },
    {
      name: 'https-h2',
      messages: h2Messages('web.localhost', 'client'),
      connect: () => secured(httpsPort, 'web.localhost', ['h2'])
    },
    { name: 'service-h1', messages: h1Answers, connect: served('bad') },
    { name: 'service-h2', messages: h2Messages('', 'server'), connect: served('badgrpc') },
    {
      name: 'service-upgrade',
      messages: h1Answers,
      connect: served('bad', { upgrade: 'websocket', connection: 'upgrade' })
    },
    { name: 'service-h1-post', messages: h1Answers, connect: servedH2('bad', {}) },
    { name: 'service-h1-connect', messages: h1Answers, connect: servedH2('bad', connect) },
    { name: 'service-h2-post', messages: h2Messages('', 'server'), connect: servedH2('badgrpc', {}) },
    { name: 'service-h2-connect', messages: h2Messages('', 'server'), connect: servedH2('badgrpc', connect) },
    { name: 'visitor', messages: anyMessages, connect: () => connected(publicPort(client, 'echo')) },
    { name: 'private', messages: anyMessages, connect: () => connected(privatePort) },
    { name: 'admin', messages: adminMessages(token), connect: () => connected(adminPort) },
    {
      name: 'admin-socket',
      messages: adminMessages(''),
      connect: () => connected(0, adminSocketPath(path.join(dir, 'server'), 'server'))
    },
    {
      name: 'admin-tls',
      messages: await tlsMessages('localhost', ['http/1.1']),
      connect: () => connected(adminTlsPort)
    },
    {
      name: 'admin-tls-inside',
      messages: adminMessages(token),
      connect: () => secured(adminTlsPort, 'localhost', ['http/1.1'])
    },
    { name: 'metrics', messages: adminMessages(''), connect: () => connected(metricsPort) },
    { name: 'direct', messages: anyMessages, connect: () => connected(publicPort(direct, 'direct')) },
    { name: 'fallback', messages: h1Messages('localhost'), connect: () => connected(onePort) },
    {
      name: 'one-port',
      messages: [...linkMessages, ...wsMessages('client'), ...(await tlsMessages('localhost', ['rystra/1']))],
      connect: () => connected(onePort)
    },
    { name: 'proxied', messages: proxiedMessages(), connect: () => connected(proxiedPort) },
    { name: 'redirect', messages: h1Messages('web.localhost'), connect: () => connected(redirectPort) },
    await sessionFace(token, () => connected(portOf('tcp'))),
    ...(await peers.faces(connected)),
    ...rpc.faces,
    ...(await challenges.faces(
      () => connected(httpPort),
      () => connected(httpsPort),
      httpsPort
    ))
  ]
  const dialed: Record<string, Messages> = {
    tcp: linkMessages,
    ws: wsMessages('server'),
    h2c: h2Messages('', 'server'),
    tls: tlsRecords,
    wss: tlsRecords,
    http2: tlsRecords
  }
  /** A client dials a hostile peer. */
  const dialing = async (transport: string): Promise<() => Promise<net.Socket>> => {
    const peer = new Hostile()
    const port = await listened(peer.server)
    later(() => peer.server.close())
    return async () => {
      const arrived = peer.next()
      const client = await make({ transport, host, port }, [])
      client.start().catch(() => {})
      const socket = await arrived
      socket.once('close', () => void client.stop({ drain: 0 }))
      return socket
    }
  }
  for (const [transport, messages] of Object.entries(dialed))
    faces.push({ name: `dial-${transport}`, messages, connect: await dialing(transport) })
  faces.push(await servingFace(token, await dialing('tcp')))

  const udpPort = publicPort(client, 'dgram')
  const datagramPorts = [portOf('quic'), udpPort, privateUdpPort]
  const visitors = new GoodVisitors(httpPort)
  later(() => visitors.close())
  // With @rystra/native a session takes a second descriptor after some datagrams: before descriptors are counted.
  for (const port of [udpPort, privateUdpPort])
    for (let visits = 0; visits < DATAGRAMS_BEFORE; visits += 1) await visitors.byDatagram(port)
  return {
    faces,
    server,
    sendDatagram(random) {
      const port = datagramPorts[random.below(datagramPorts.length + 1)]
      if (port === undefined) mdns.send(mdnsPacket(random))
      else visitors.send(quicPackets(random), port)
    },
    connections: () => {
      const names = new Map([
        ...transports.map((transport) => [portOf(transport), transport] as const),
        [httpPort, 'http'],
        [httpsPort, 'https']
      ])
      const ofRpc = { 'sessions of RPC': [...rpc.onServer.sessions()].length }
      const ofListeners = Object.fromEntries(
        Object.entries(server.connections).map(([address, count]) => {
          const port = Number(address.split(':').at(-1))
          return [names.get(port) ?? address, count]
        })
      )
      return { ...ofListeners, ...ofRpc }
    },
    async check() {
      await Promise.all([
        visitors.byHttp('web'),
        visitors.byHttp('grpc'),
        visitors.byDatagram(udpPort),
        visitors.byDatagram(privateUdpPort),
        mdns.check(),
        program.server.request('disk.usage', undefined, { deadline: SERVED_WITHIN_MS })
      ])
    },
    async close() {
      for (const end of ending.splice(0).reverse()) await end()
    }
  }
}
