import { deepStrictEqual as deepEqual } from 'node:assert'
import * as grpc from '@grpc/grpc-js'

const bytes = { serialize: (value: Buffer) => value, deserialize: (value: Buffer) => value }

const method = (
  path: string,
  requestStream: boolean,
  responseStream: boolean
): grpc.MethodDefinition<Buffer, Buffer> => ({
  path: `/test.Echo/${path}`,
  requestStream,
  responseStream,
  requestSerialize: bytes.serialize,
  requestDeserialize: bytes.deserialize,
  responseSerialize: bytes.serialize,
  responseDeserialize: bytes.deserialize
})

const echo = {
  unary: method('Unary', false, false),
  clientStream: method('ClientStream', true, false),
  serverStream: method('ServerStream', false, true),
  duplex: method('Duplex', true, true)
}

const statusOf = (request: Buffer): Partial<grpc.ServiceError> => ({
  code: Number(request),
  details: `status ${request}`
})

type Done = (error: Partial<grpc.ServiceError> | null, value?: Buffer) => void

/** A service that echoes a message; one that is a number is answered with that status. */
export const startGrpc = async (onEnd: (close: () => void) => void): Promise<number> => {
  const server = new grpc.Server()
  const isStatus = (request: Buffer): boolean => /^\d+$/.test(request.toString())
  server.addService(echo, {
    unary({ request }: { request: Buffer }, done: Done) {
      if (isStatus(request)) done(statusOf(request))
      else done(null, request)
    },
    clientStream(call: grpc.ServerReadableStream<Buffer, Buffer>, done: Done) {
      const all: Buffer[] = []
      call.on('data', (one: Buffer) => all.push(one))
      call.on('end', () => {
        const request = Buffer.concat(all)
        if (isStatus(request)) done(statusOf(request))
        else done(null, request)
      })
    },
    serverStream(call: grpc.ServerWritableStream<Buffer, Buffer>) {
      if (isStatus(call.request)) {
        call.emit('error', statusOf(call.request))
        return
      }
      for (let count = 0; count < 3; count++) call.write(call.request)
      call.end()
    },
    duplex(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
      call.on('data', (request: Buffer) => {
        if (isStatus(request)) call.emit('error', statusOf(request))
        else call.write(request)
      })
      call.on('end', () => call.end())
    }
  } as grpc.UntypedServiceImplementation)
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error)
    )
  })
  onEnd(() => server.forceShutdown())
  return port
}

interface Outcome {
  readonly code: number
  readonly details: string
  readonly messages: string[]
}

export const Client = grpc.makeGenericClientConstructor(echo, 'test.Echo')
type Call = grpc.ClientReadableStream<Buffer> & grpc.ClientWritableStream<Buffer>
type Method = (...args: unknown[]) => Call

/** Makes a call with an argument for each message. */
const call = (client: grpc.Client, name: keyof typeof echo, messages: readonly string[]): Promise<Outcome> =>
  new Promise((resolve) => {
    const { requestStream, responseStream } = echo[name]
    const received: string[] = []
    const metadata = new grpc.Metadata()
    const options = { deadline: Date.now() + 10_000 }
    const done = (_error: unknown, value?: Buffer): void => {
      if (value !== undefined) received.push(value.toString())
    }
    const args = [...(requestStream ? [] : [Buffer.from(messages[0] as string)]), metadata, options]
    const made = (client as unknown as Record<string, Method>)[name]?.call(
      client,
      ...args,
      ...(responseStream ? [] : [done])
    ) as Call
    made.on('error', () => {})
    if (responseStream) made.on('data', (value: Buffer) => received.push(value.toString()))
    made.on('status', ({ code, details }: grpc.StatusObject) =>
      // The callback of a single response comes in the same turn.
      setImmediate(() => resolve({ code, details, messages: received }))
    )
    if (requestStream) {
      for (const message of messages) made.write(Buffer.from(message))
      made.end()
    }
  })

/** Makes each kind of call, with each status code and with messages. Throws when one ends otherwise. */
export const checkAll = async (client: grpc.Client): Promise<void> => {
  for (const name of Object.keys(echo) as (keyof typeof echo)[]) {
    for (let code = 1; code <= 16; code++) {
      deepEqual(await call(client, name, [String(code)]), { code, details: `status ${code}`, messages: [] }, name)
    }
    const { requestStream, responseStream } = echo[name]
    const echoed = requestStream ? ['a', 'b'] : ['a']
    const messages = responseStream ? (requestStream ? echoed : ['a', 'a', 'a']) : [echoed.join('')]
    deepEqual(await call(client, name, ['a', 'b']), { code: 0, details: 'OK', messages }, name)
  }
  const unknown = await new Promise<grpc.ServiceError | null>((resolve) => {
    const { serialize, deserialize } = bytes
    client.makeUnaryRequest('/test.Echo/Unknown', serialize, deserialize, Buffer.from('a'), resolve)
  })
  deepEqual(unknown?.code, grpc.status.UNIMPLEMENTED)
}
