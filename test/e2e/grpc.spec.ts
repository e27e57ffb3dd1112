import * as grpc from '@grpc/grpc-js'
import { expect } from 'chai'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { type KeyPair, issueServer, makeAuthority } from '@rystra/certificates'
import proxyHttp from '@rystra/proxy-http'
import proxyHttps from '@rystra/proxy-https'
import { httpPreset, startHttpClient } from './http-world.js'
import { cleanUp, freePort, later, startServer } from './tunnel.js'

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

/** Echoes a message; one that is a number is answered with that status. */
const startGrpc = async (): Promise<number> => {
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
  later(() => server.forceShutdown())
  return port
}

interface Outcome {
  readonly code: number
  readonly details: string
  readonly messages: string[]
}

const Client = grpc.makeGenericClientConstructor(echo, 'test.Echo')
type Call = grpc.ClientReadableStream<Buffer> & grpc.ClientWritableStream<Buffer>
type Method = (...args: unknown[]) => Call

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

const names = Object.keys(echo) as (keyof typeof echo)[]

describe('gRPC through the tunnel', () => {
  let dir: string
  let ca: string

  before(async () => {
    const authority: KeyPair = await makeAuthority({ commonName: 'An authority', bits: 2048 })
    const { cert, key } = await issueServer(authority, { commonName: 'grpc.localhost', names: ['grpc.localhost'] })
    ca = authority.cert
    dir = mkdtempSync(path.join(os.tmpdir(), 'rystra-grpc-'))
    writeFileSync(path.join(dir, 'cert.pem'), cert)
    writeFileSync(path.join(dir, 'key.pem'), key)
  })
  after(() => rmSync(dir, { recursive: true, force: true }))
  afterEach(cleanUp)

  const connect = async (secure: boolean): Promise<grpc.Client> => {
    const port = await freePort()
    const listen = [{ host: '127.0.0.1', port }]
    const server = await startServer(
      {},
      [
        proxyHttp({ listen: secure ? [] : listen }),
        ...(secure ? [proxyHttps({ listen, certificates: [{ cert: 'cert.pem', key: 'key.pem' }] })] : [])
      ],
      { preset: httpPreset, dir }
    )
    await startHttpClient(server, [{ name: 'grpc', kind: 'http', local: await startGrpc(), h2: true }])
    const credentials = secure ? grpc.credentials.createSsl(Buffer.from(ca)) : grpc.credentials.createInsecure()
    const made = new Client(`127.0.0.1:${port}`, credentials, {
      'grpc.default_authority': `grpc.localhost:${port}`,
      'grpc.ssl_target_name_override': 'grpc.localhost',
      'grpc.enable_retries': 0
    })
    later(() => made.close())
    return made
  }

  for (const secure of [false, true]) {
    it(`has all status codes in all four kinds of call${secure ? ', behind https' : ''}`, async () => {
      const client = await connect(secure)
      for (const name of names) {
        for (let code = 1; code <= 16; code++) {
          const { code: got, details } = await call(client, name, [String(code)])
          expect([name, got, details]).to.deep.equal([name, code, `status ${code}`])
        }
        const { requestStream, responseStream } = echo[name]
        const echoed = requestStream ? ['a', 'b'] : ['a']
        const messages = responseStream ? (requestStream ? echoed : ['a', 'a', 'a']) : [echoed.join('')]
        expect(await call(client, name, ['a', 'b'])).to.deep.equal({ code: 0, details: 'OK', messages })
      }
      const unknown = await new Promise<grpc.ServiceError | null>((resolve) => {
        const { serialize, deserialize } = bytes
        client.makeUnaryRequest('/test.Echo/Unknown', serialize, deserialize, Buffer.from('a'), resolve)
      })
      expect(unknown?.code).to.equal(grpc.status.UNIMPLEMENTED)
    })
  }
})
