/**
 * One entry for each library, in the configuration that its documentation recommends: `serve` answers with a port, `connect` with
 * `call(body)`, and where it has them `emit(body)` and `upload(chunk)`. They are loaded from this folder, which has a lock file of its own.
 */
import net from 'node:net'
import { once } from 'node:events'

const load = (name) => import(name)
const root = new URL('../../../', import.meta.url)
const built = (path) => import(new URL(path, root).href)
let events = 0
let bytes = 0
export const counts = () => ({ events, bytes })

const listening = async (server) => {
  await once(server, 'listening')
  return server.address().port
}

const rystraServer = async (transport, muxer) => {
  const { RpcServer } = await built('framework/rpc/dist/index.js')
  const server = await RpcServer.builder()
    .bind(`${transport}://127.0.0.1:0`)
    .tokens([{ identity: 'bench', token: 'a-token-of-the-bench' }])
    .extension(`@rystra/mux-${muxer}`)
    .handler('echo', (_session, data) => data)
    .listener('tick', () => {
      events += 1
    })
    .streamHandler('upload', async (_session, stream) => {
      for await (const chunk of stream) bytes += chunk.length
    })
    .streamHandler('stalled', () => {})
    .handler('big', (_session, data) => data.length)
    .options({ maxMessageBytes: 2 ** 27 })
    .build()
    .start()
  const { port, join } = server.addresses[0]
  return { port, join }
}

const rystraClient = async (transport, muxer, { port, join, id = 'bench' }) => {
  const { RpcClient } = await built('framework/rpc/dist/index.js')
  const client = await RpcClient.builder()
    .extension(`@rystra/mux-${muxer}`)
    .to(`${transport}://127.0.0.1:${port}`, { token: 'a-token-of-the-bench', id, dial: { ...join } })
    .options({ maxMessageBytes: 2 ** 27 })
    .connect()
  let stream
  return {
    call: (body) => client.request('echo', body),
    emit: (body) => client.emit('tick', body),
    upload: (chunk) => {
      stream ??= client.createStream('upload')
      return stream.send(chunk)
    },
    stream: () => {
      const own = client.createStream('upload')
      return (chunk) => own.send(chunk)
    },
    stalledStream: () => {
      const own = client.createStream('stalled')
      return (chunk) => own.send(chunk)
    },
    big: (body) => client.request('big', body, { deadline: 0 })
  }
}

const rystra = (transport, muxer = 'yamux') => ({
  udp: transport === 'quic',
  serve: () => rystraServer(transport, muxer),
  connect: (to) => rystraClient(transport, muxer, to)
})

/** JSON over a WebSocket with ids: what a program has without a library. */
const ws = {
  serve: async () => {
    const { WebSocketServer } = await load('ws')
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
    server.on('connection', (socket) =>
      socket.on('message', (data, binary) => {
        if (binary) bytes += data.length
        else if (data[0] === 0x65) events += 1
        else socket.send(data, { binary: false })
      })
    )
    return { port: await listening(server) }
  },
  connect: async ({ port }) => {
    const { WebSocket } = await load('ws')
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false })
    await once(socket, 'open')
    const waiting = new Map()
    let id = 0
    socket.on('message', (data) => {
      const [number, body] = JSON.parse(data)
      waiting.get(number)(body)
      waiting.delete(number)
    })
    return {
      call: (body) =>
        new Promise((resolve) => {
          id += 1
          waiting.set(id, resolve)
          socket.send(JSON.stringify([id, body]))
        }),
      emit: (body) => socket.send(`e${JSON.stringify(body)}`),
      upload: (chunk) => new Promise((resolve) => socket.send(chunk, resolve))
    }
  }
}

const socketio = {
  serve: async () => {
    const { Server } = await load('socket.io')
    const http = (await import('node:http')).createServer().listen(0, '127.0.0.1')
    const server = new Server(http, { transports: ['websocket'], perMessageDeflate: false })
    server.on('connection', (socket) => {
      socket.on('echo', (body, answer) => answer(body))
      socket.on('tick', () => {
        events += 1
      })
      socket.on('upload', (chunk, answer) => {
        bytes += chunk.length
        answer()
      })
    })
    return { port: await listening(http) }
  },
  connect: async ({ port }) => {
    const { io } = await load('socket.io-client')
    const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'] })
    await new Promise((resolve) => socket.once('connect', resolve))
    return {
      call: (body) => socket.emitWithAck('echo', body),
      emit: (body) => void socket.emit('tick', body),
      upload: (chunk) => socket.emitWithAck('upload', chunk)
    }
  }
}

const birpc = {
  serve: async () => {
    const { WebSocketServer } = await load('ws')
    const { createBirpc } = await load('birpc')
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
    server.on('connection', (socket) =>
      createBirpc(
        {
          echo: (body) => body,
          tick: () => {
            events += 1
          }
        },
        {
          post: (data) => socket.send(data),
          on: (fn) => socket.on('message', fn),
          serialize: JSON.stringify,
          deserialize: (data) => JSON.parse(data)
        }
      )
    )
    return { port: await listening(server) }
  },
  connect: async ({ port }) => {
    const { WebSocket } = await load('ws')
    const { createBirpc } = await load('birpc')
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false })
    await once(socket, 'open')
    const rpc = createBirpc(
      {},
      {
        post: (data) => socket.send(data),
        on: (fn) => socket.on('message', fn),
        serialize: JSON.stringify,
        deserialize: (data) => JSON.parse(data)
      }
    )
    return { call: (body) => rpc.echo(body), emit: (body) => void rpc.tick.asEvent(body) }
  }
}

const capnweb = {
  serve: async () => {
    const { WebSocket, WebSocketServer } = await load('ws')
    const { newWebSocketRpcSession, RpcTarget } = await load('capnweb')
    class Api extends RpcTarget {
      echo(body) {
        return body
      }
    }
    globalThis.WebSocket ??= WebSocket
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
    server.on('connection', (socket) => newWebSocketRpcSession(socket, new Api()))
    return { port: await listening(server) }
  },
  connect: async ({ port }) => {
    const { WebSocket } = await load('ws')
    const { newWebSocketRpcSession } = await load('capnweb')
    globalThis.WebSocket ??= WebSocket
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false })
    await once(socket, 'open')
    const api = newWebSocketRpcSession(socket)
    return { call: (body) => api.echo(body) }
  }
}

const grpcService = {
  echo: {
    path: '/bench/echo',
    requestStream: false,
    responseStream: false,
    requestSerialize: (body) => Buffer.from(JSON.stringify(body)),
    requestDeserialize: (data) => JSON.parse(data),
    responseSerialize: (body) => Buffer.from(JSON.stringify(body)),
    responseDeserialize: (data) => JSON.parse(data)
  },
  upload: {
    path: '/bench/upload',
    requestStream: true,
    responseStream: false,
    requestSerialize: (chunk) => chunk,
    requestDeserialize: (chunk) => chunk,
    responseSerialize: () => Buffer.alloc(0),
    responseDeserialize: () => undefined
  }
}

const grpc = {
  serve: async () => {
    const { Server, ServerCredentials } = await load('@grpc/grpc-js')
    const server = new Server()
    server.addService(grpcService, {
      echo: (call, answer) => answer(null, call.request),
      upload: (call) =>
        call.on('data', (chunk) => {
          bytes += chunk.length
        })
    })
    const port = await new Promise((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound)
      )
    )
    return { port }
  },
  connect: async ({ port }) => {
    const { credentials, makeClientConstructor } = await load('@grpc/grpc-js')
    const Client = makeClientConstructor(grpcService, 'bench')
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
    let stream
    return {
      call: (body) =>
        new Promise((resolve, reject) =>
          client.echo(body, (error, answer) => (error ? reject(error) : resolve(answer)))
        ),
      upload: (chunk) => {
        stream ??= client.upload(() => {})
        return stream.write(chunk) ? undefined : once(stream, 'drain')
      }
    }
  }
}

/** The same contract in Protobuf, described by the program: what `buf generate` would write. */
const connectService = async () => {
  const { create, createFileRegistry } = await load('@bufbuild/protobuf')
  const { FileDescriptorProtoSchema, FileDescriptorSetSchema, StructSchema, file_google_protobuf_struct } =
    await load('@bufbuild/protobuf/wkt')
  const type = '.google.protobuf.Struct'
  const file = create(FileDescriptorProtoSchema, {
    name: 'bench.proto',
    package: 'bench',
    syntax: 'proto3',
    dependency: ['google/protobuf/struct.proto'],
    service: [{ name: 'Bench', method: [{ name: 'Echo', inputType: type, outputType: type }] }]
  })
  const set = create(FileDescriptorSetSchema, { file: [file_google_protobuf_struct.proto, file] })
  return { service: createFileRegistry(set).getService('bench.Bench'), StructSchema }
}

const connect = {
  serve: async () => {
    const { connectNodeAdapter } = await load('@connectrpc/connect-node')
    const { service } = await connectService()
    const routes = (router) => router.service(service, { echo: (body) => body })
    const server = (await import('node:http2')).createServer(connectNodeAdapter({ routes })).listen(0, '127.0.0.1')
    return { port: await listening(server) }
  },
  connect: async ({ port }) => {
    const { createClient } = await load('@connectrpc/connect')
    const { createConnectTransport } = await load('@connectrpc/connect-node')
    const { service } = await connectService()
    const transport = createConnectTransport({
      baseUrl: `http://127.0.0.1:${port}`,
      httpVersion: '2',
      useBinaryFormat: true
    })
    const client = createClient(service, transport)
    return { call: (body) => client.echo(body) }
  }
}

const trpc = {
  serve: async () => {
    const { WebSocketServer } = await load('ws')
    const { initTRPC } = await load('@trpc/server')
    const { applyWSSHandler } = await load('@trpc/server/adapters/ws')
    const t = initTRPC.create()
    const router = t.router({ echo: t.procedure.input((value) => value).query(({ input }) => input) })
    const wss = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
    applyWSSHandler({ wss, router, createContext: () => ({}) })
    return { port: await listening(wss) }
  },
  connect: async ({ port }) => {
    const { WebSocket } = await load('ws')
    const { createTRPCClient, createWSClient, wsLink } = await load('@trpc/client')
    const client = createTRPCClient({
      links: [wsLink({ client: createWSClient({ url: `ws://127.0.0.1:${port}`, WebSocket }) })]
    })
    return { call: (body) => client.echo.query(body) }
  }
}

/** The same bytes without any framing: what the machine can do. */
const raw = {
  serve: async () => {
    const server = net.createServer({ noDelay: true }, (socket) => socket.pipe(socket)).listen(0, '127.0.0.1')
    return { port: await listening(server) }
  },
  connect: async ({ port }) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    const waiting = []
    let left = 0
    socket.on('data', (chunk) => {
      left += chunk.length
      for (; left >= 32; left -= 32) waiting.shift()()
    })
    const message = Buffer.alloc(32)
    return {
      call: () =>
        new Promise((resolve) => {
          waiting.push(resolve)
          socket.write(message)
        })
    }
  }
}

export const peers = {
  rystra: rystra('tcp'),
  'rystra-tls': rystra('tls'),
  'rystra-quic': rystra('quic'),
  ws,
  grpc,
  connect,
  socketio,
  birpc,
  trpc,
  capnweb,
  raw
}
