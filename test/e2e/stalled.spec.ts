import type { Client } from '@rystra/client'
import proxyHttps from '@rystra/proxy-https'
import proxyPrivate from '@rystra/proxy-private'
import { settled } from '@rystra/testkit'
import transportHttp2 from '@rystra/transport-http2'
import transportQuic from '@rystra/transport-quic'
import transportWs from '@rystra/transport-ws'
import { expect } from 'chai'
import { once } from 'node:events'
import http from 'node:http'
import tls from 'node:tls'
import type { Readable, Writable } from 'node:stream'
import { askAt, ClusterWorld } from './cluster-world.js'
import { authority, session, startH2Service } from './h2-world.js'
import { type Answering, frontPort, startHttpClient, startHttpServer, startHttpService } from './http-world.js'
import { db, join, serve, toDb, wayIn } from './private-tunnel.js'
import {
  cleanUp,
  freePort,
  later,
  portOf,
  startClient,
  startServer,
  startService,
  svc,
  until,
  visit,
  visitorPort
} from './tunnel.js'

const STALLED = 6
/** Uploads need more: what goes wrong depends on the order of events. */
const STALLED_UPLOADS = 40
const MIB = 1 << 20
const FILE = 4 * MIB
const chunk = Buffer.alloc(64 * 1024, 'x')

/** Bytes that senders without an end have handed over. */
let sent = 0

const sendWithoutEnd = (to: Writable): void => {
  const more = (): void => {
    if (!to.writable) return
    do sent += chunk.length
    while (to.write(chunk))
  }
  to.on('error', () => {}).on('drain', more)
  more()
}

const sendFile = (to: Writable): void => void to.on('error', () => {}).end(Buffer.alloc(FILE, 'y'))

/** Answers the first bytes of a connection. */
const answer = (socket: Writable & Readable): void => {
  socket.once('data', (first: Buffer) => (first.includes('file') ? sendFile(socket) : sendWithoutEnd(socket)))
}

const answerRequest = (request: { readonly url?: string | undefined }, response: Writable): void => {
  if (request.url === '/file') sendFile(response)
  else sendWithoutEnd(response)
}

/** The length of what a stream brings. */
const lengthOf = async (stream: Readable): Promise<number> => {
  let length = 0
  for await (const bytes of stream) length += (bytes as Buffer).length
  return length
}

/** Bytes that one sender may hand over: the buffers of the kernel and windows on the way. */
const MAX_SENT = 32 * MIB

/** Readers of one path: one that asks without an end and never reads, and one that reads a file. */
interface Readers {
  /** @default STALLED */
  readonly stalled?: number
  stall(): Promise<unknown>
  read(): Promise<number>
}

const overPort = (port: number, host?: string): Readers => ({
  async stall() {
    const socket = await visit(port, host)
    socket.pause().write('without end')
  },
  async read() {
    const socket = await visit(port, host)
    socket.write('file')
    return lengthOf(socket)
  }
})

const overTcp = (transport: string, muxer?: string) => async (): Promise<Readers> => {
  const more = [transportHttp2(), transportQuic()]
  const server = await startServer({ listen: [{ transport, host: '127.0.0.1', port: 0 }] }, more)
  const muxing = muxer === undefined ? {} : { muxer }
  const connect = { transport, host: '127.0.0.1', port: portOf(server), ...muxing, ...server.listening[0]?.join }
  const client = await startClient(0, [svc(await startService(answer))], { connect } as never, more)
  return overPort(visitorPort(client, 'svc'))
}

const overH1 = (port: number): Readers => {
  const get = (path: string): Promise<http.IncomingMessage> =>
    new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, path, agent: false, headers: { host: authority } }
      const request = http.get(options, resolve).on('error', reject)
      later(() => request.destroy())
    })
  return { stall: () => get('/'), read: async () => lengthOf(await get('/file')) }
}

const overHttp = (h2: boolean) => async (): Promise<number> => {
  const local = h2
    ? await startH2Service((stream, headers) => {
        stream.respond({ ':status': 200 })
        answerRequest({ url: headers[':path'] }, stream)
      })
    : await startHttpService(answerRequest)
  const server = await startHttpServer()
  return frontPort(await startHttpClient(server, [{ name: 'app', kind: 'http', local: local.port, h2 }]))
}

/** Reads no upload. */
const answerUpload: Answering = (request, response) => {
  if (request.method === 'GET') sendFile(response)
  else request.pause()
}

const startUpload = async (more: Parameters<typeof startHttpServer>[1] = []): Promise<Client> => {
  const { port: local } = await startHttpService(answerUpload)
  return startHttpClient(await startHttpServer({}, more), [{ name: 'app', kind: 'http', local }])
}

const uploads = (port: number, connect = () => visit(port)): Readers => ({
  stalled: STALLED_UPLOADS,
  async stall() {
    const socket = await connect()
    socket.write(`POST / HTTP/1.1\r\nHost: ${authority}\r\nContent-Length: 999999999999\r\n\r\n`)
    sendWithoutEnd(socket)
  },
  read: () => overH1(port).read()
})

const ways: Readonly<Record<string, () => Promise<Readers>>> = {
  'tcp over yamux': overTcp('tcp', 'yamux'),
  'tcp over direct': overTcp('tcp', 'direct'),
  'tcp over h2c': overTcp('h2c'),
  'tcp over quic': overTcp('quic'),
  'responses of HTTP/1.1': async () => overH1(await overHttp(false)()),
  'responses of one connection to a service of HTTP/2': async () => overH1(await overHttp(true)()),
  'responses of HTTP/2 streams': async () => {
    const port = await overHttp(false)()
    const stalled = session(port)
    const open = (path: string, from = session(port)): Readable =>
      from.request({ ':authority': authority, ':path': path }).on('error', () => {})
    return { stall: () => once(open('/', stalled), 'response'), read: () => lengthOf(open('/file')) }
  },
  'uploads to a service that does not read': async () => uploads(frontPort(await startUpload())),
  'uploads over https': async () => {
    const tlsPort = await freePort()
    const https = proxyHttps({ listen: [{ host: '127.0.0.1', port: tlsPort }], certificates: [{ hosts: [authority] }] })
    const port = frontPort(await startUpload([https]))
    return uploads(port, async () => {
      const socket = tls.connect({ host: '127.0.0.1', port: tlsPort, servername: authority, rejectUnauthorized: false })
      later(() => socket.destroy())
      await once(socket, 'secureConnect')
      return socket
    })
  },
  'uploads in streams of HTTP/2': async () => {
    const port = frontPort(await startUpload())
    const from = session(port)
    return {
      async stall() {
        sendWithoutEnd(from.request({ ':method': 'POST', ':authority': authority, ':path': '/' }, { endStream: false }))
      },
      read: () => overH1(port).read()
    }
  },
  'uploads to a function': async () => {
    const client = await startHttpClient(await startHttpServer(), [])
    await client.expose({
      name: 'app',
      kind: 'http',
      handler: ({ method }: Request) =>
        method === 'GET' ? new Response(Buffer.alloc(FILE, 'y')) : new Promise(() => {})
    } as never)
    return uploads(frontPort(client))
  },
  'uploads to the fallback of ws': async () => {
    const { port } = await startHttpService(answerUpload)
    const listen = [{ transport: 'ws', host: '127.0.0.1', port: 0, fallback: `127.0.0.1:${port}` }]
    return uploads(portOf(await startServer({ listen } as never, [transportWs()])))
  },
  'a private service': async () => {
    const carrier = { title: '', connect: { transport: 'tcp', muxer: 'yamux' }, uses: [proxyPrivate()] }
    const server = await serve(carrier)
    await join(carrier, server, { id: 'owner', proxies: [db(await startService(answer))] })
    return overPort(wayIn(await join(carrier, server, { id: 'visitor', forwards: [toDb()] })))
  },
  'a hop between servers of a cluster': async () => {
    const world = await ClusterWorld.open()
    const a = await world.start('a')
    await world.start('b')
    const client = await startClient(portOf(a), [svc(await startService(answer))])
    const port = visitorPort(client, 'svc')
    await until(async () => (await askAt('127.0.0.2', port, 'file')) !== undefined, 'the port at the other server')
    return overPort(port, '127.0.0.2')
  }
}

describe('readers that stop', () => {
  beforeEach(() => (sent = 0))
  afterEach(cleanUp)

  for (const [name, open] of Object.entries(ways)) {
    it(`hold their senders back, with bounded memory, and no other reader: ${name}`, async () => {
      const { stall, read, stalled = STALLED } = await open()
      const { arrayBuffers } = process.memoryUsage()
      await Promise.all(Array.from({ length: stalled }, stall))
      await until(() => sent > stalled * chunk.length, 'all send')
      await settled(() => {
        if (sent > stalled * MAX_SENT) throw new Error(`senders are not held back: ${sent} bytes are sent`)
        return sent
      })
      const lengths = await Promise.all([read(), read(), read()])
      expect(lengths).to.deep.equal([FILE, FILE, FILE])
      expect((process.memoryUsage().arrayBuffers - arrayBuffers) / MIB, 'MiB in use').to.be.below(128)
    })
  }
})
