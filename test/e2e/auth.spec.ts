import { once } from 'node:events'
import { createHmac } from 'node:crypto'
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import authJwt from '@rystra/auth-jwt'
import authMtls from '@rystra/auth-mtls'
import authToken from '@rystra/auth-token'
import { issueClient, issueServer, type KeyPair, makeAuthority, revoke } from '@rystra/certificates'
import { type Client, createClient } from '@rystra/client'
import { defineExtension, type ExtensionUse, type Identity, type RystraError } from '@rystra/plugin'
import { createServer, type Server, type ServerOptions } from '@rystra/server'
import transportTls from '@rystra/transport-tls'
import { expect } from 'chai'
import { tlsRelay } from './tls-world.js'
import { cleanUp, echo, later, preset as plainPreset, startService, visit, visitorPort } from './tunnel.js'

const preset = [...plainPreset, transportTls, authMtls, authJwt]
const token = 'a-token-for-tests-0123456789'
const secret = 'a secret of both ends, 32 bytes at least'

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const jwt = (claims: object = {}, { alg = 'HS256', key = secret } = {}): string => {
  const unsigned = `${part({ alg })}.${part({ sub: 'robot', exp: Date.now() / 1000 + 600, ...claims })}`
  return `${unsigned}.${alg === 'none' ? '' : createHmac('sha256', key).update(unsigned).digest('base64url')}`
}

/** What a session was refused for, as the server knows it. */
interface Refused {
  readonly error: RystraError
}

describe('several ways to authenticate', () => {
  let dir = ''
  let authority: KeyPair
  let laptop: KeyPair
  const write = async (name: string, text: string): Promise<void> => {
    await writeFile(join(dir, 'new'), text)
    await rename(join(dir, 'new'), join(dir, name))
  }
  const keep = async (name: string, { cert, key }: KeyPair): Promise<void> => {
    await write(`${name}.pem`, cert)
    await write(`${name}.key`, key)
  }

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'rystra-auth-'))
    authority = await makeAuthority({ keyType: 'ec', commonName: 'house' })
    laptop = await issueClient(authority, { keyType: 'ec', commonName: 'laptop', names: ['email:anna@example.org'] })
    await keep('ca', authority)
    await keep(
      'server',
      await issueServer(authority, { keyType: 'ec', commonName: 'localhost', names: ['localhost', '127.0.0.1'] })
    )
    await keep('laptop', laptop)
    await keep('stolen', await issueClient(authority, { keyType: 'ec', commonName: 'stolen' }))
    await keep('guest', await issueClient(authority, { keyType: 'ec', commonName: 'guest' }))
  })
  after(() => rm(dir, { recursive: true }))
  beforeEach(async () => write('crl.pem', await revoke(authority, [])))
  afterEach(cleanUp)

  let seen: Identity[] = []
  const diary = defineExtension({
    name: 'diary',
    setup({ hooks }) {
      hooks.onRegisterProxy.tap((_, { session }) => void seen.push(session.identity))
    }
  })

  const servers = {
    mtls: authMtls({
      rules: [
        { san: 'email:*@example.org', id: '{san.email}', rights: { from: 'mtls' } },
        { subject: { CN: 'stolen' }, id: 'stolen' }
      ],
      crl: ['crl.pem'],
      ca: ['ca.pem']
    }),
    jwt: authJwt({ issuers: [{ secret, rightsFrom: { groups: 'groups' } }] }),
    token: authToken({ tokens: [{ identity: 'home', token, rights: { from: 'token' } }] })
  }

  const start = async (
    extensions: readonly ExtensionUse[] = Object.values(servers),
    options: Partial<ServerOptions> = {}
  ): Promise<Server> => {
    seen = []
    const files = { cert: 'server.pem', key: 'server.key', clientCa: 'ca.pem' }
    const server = await createServer(
      {
        extensions: [...extensions, diary()],
        server: {
          listen: [
            { transport: 'tls', host: '127.0.0.1', port: 0, ...files },
            { transport: 'tcp', host: '127.0.0.1', port: 0 }
          ],
          publish: { host: '127.0.0.1', ports: ['1024-65535'] }
        }
      },
      { preset, dir, ...options }
    )
    await server.start()
    later(() => server.stop({ drain: 0 }))
    return server
  }

  const portOf = (server: Server, index: number): number => server.listening[index]?.port ?? 0
  const overTls = (server: Server, name?: string, port = portOf(server, 0)) => ({
    transport: 'tls',
    host: '127.0.0.1',
    port,
    ca: 'ca.pem',
    ...(name === undefined ? {} : { cert: `${name}.pem`, key: `${name}.key` })
  })
  const overTcp = (server: Server) => ({ transport: 'tcp', host: '127.0.0.1', port: portOf(server, 1) })

  const make = async (connect: object, extensions: readonly ExtensionUse[], id = 'test'): Promise<Client> => {
    const local = `127.0.0.1:${await startService(echo)}`
    const client = await createClient(
      {
        extensions: [...extensions],
        client: { id, connect: connect as never, proxies: [{ name: 'svc', kind: 'tcp', local }] }
      },
      { preset, dir }
    )
    later(() => client.stop({ drain: 0 }))
    return client
  }

  const works = async (client: Client): Promise<void> => {
    const visitor = await visit(visitorPort(client, 'svc'))
    visitor.write('there and back')
    const [bytes] = await once(visitor, 'data')
    expect(String(bytes)).to.equal('there and back')
  }

  /** Starts a client that must be accepted. Resolves with its identity at the server. */
  const enters = async (connect: object, extensions: readonly ExtensionUse[]): Promise<Identity | undefined> => {
    const client = await make(connect, extensions)
    await client.start()
    await works(client)
    return seen.at(-1)
  }

  const entered = async (server: Server, name: string): Promise<Client> => {
    const client = await make(overTls(server, name), [authMtls()], name)
    await client.start()
    return client
  }

  /** Starts a client that must be refused: the error at the client, and the one at the server. */
  const isRefused = async (server: Server, connect: object, extensions: readonly ExtensionUse[]) => {
    const refusals: Refused[] = []
    const note = (refused: Refused): void => void refusals.push(refused)
    server.on('refused', note)
    const client = await make(connect, extensions, 'unknown')
    const clientError = await client.start().then(
      () => {
        throw new Error('it was accepted')
      },
      (error: RystraError) => error
    )
    server.off('refused', note)
    return { clientError, serverError: refusals[0]?.error }
  }

  it('lets each client in by what it has, and hooks see who it is and what it may do', async () => {
    const server = await start()
    expect(await enters(overTls(server), [authToken({ token })])).to.deep.equal({
      id: 'home',
      rights: { from: 'token' }
    })
    expect(await enters(overTls(server, 'laptop'), [authMtls()])).to.deep.equal({
      id: 'anna@example.org',
      rights: { from: 'mtls' }
    })
    const groups = ['a', 'b']
    expect(await enters(overTls(server), [authJwt({ token: jwt({ groups }) })])).to.deep.equal({
      id: 'robot',
      rights: { groups }
    })
  })

  it('lets the order of the server decide for a client that has several, as far as the link allows', async () => {
    const all = [authToken({ token }), authJwt({ token: jwt() }), authMtls()]
    const { mtls, jwt: byJwt, token: byToken } = servers
    const server = await start([mtls, byJwt, byToken])
    expect((await enters(overTls(server, 'laptop'), all))?.id).to.equal('anna@example.org')
    expect((await enters(overTls(server), all))?.id, 'without a certificate').to.equal('robot')
    expect((await enters(overTcp(server), all))?.id, 'without TLS').to.equal('home')
    const other = await start([byToken, mtls, byJwt])
    expect((await enters(overTls(other, 'laptop'), all))?.id).to.equal('home')
  })

  it('gives data links a secret also where the method has none', async () => {
    const server = await start()
    const direct = (name?: string) => ({ ...overTls(server, name), muxer: 'direct' })
    expect((await enters(direct('laptop'), [authMtls()]))?.id).to.equal('anna@example.org')
    expect((await enters(direct(), [authJwt({ token: jwt() })]))?.id).to.equal('robot')
  })

  it('takes tokens as large as identity providers make them', async () => {
    const server = await start()
    const groups = Array.from({ length: 400 }, (_, index) => `group ${index} of a large house`)
    const large = jwt({ groups })
    expect(large.length).to.be.within(12_000, 16_352)
    expect((await enters(overTls(server), [authJwt({ token: large })]))?.rights).to.deep.equal({ groups })
  })

  it('says at the client what is missing, and sends no token without TLS', async () => {
    const server = await start()
    const bare = await isRefused(server, overTls(server), [authMtls()])
    expect(bare.clientError).to.include({ code: 'auth.no-method', side: 'server', detail: 'offered: mtls' })
    expect(bare.serverError).to.include({ code: 'auth.no-method' })
    expect(bare.serverError?.detail).to.match(/mtls: no verified certificate on this link/)
    const plain = await isRefused(server, overTcp(server), [authJwt({ token: jwt() }), authMtls()])
    expect(plain.clientError).to.include({ code: 'auth.no-method', side: 'client' })
    expect(plain.clientError.detail).to.match(/jwt: the link has no TLS.*mtls: the link has no TLS/)
    expect(plain.clientError.message).not.to.include(jwt().split('.')[0])
  })

  for (const [what, make, reason] of [
    ['an expired token', () => jwt({ exp: 1 }), /"exp" claim timestamp/],
    ['a token without a signature', () => jwt({}, { alg: 'none' }), /algorithm "none" is not allowed/],
    ['a token signed with another key', () => jwt({}, { key: 'another one' }), /signature verification failed/],
    ['a token for another algorithm', () => jwt({}, { alg: 'RS256' }), /algorithm "RS256" is not allowed/]
  ] as const) {
    it(`refuses ${what}: the client hears that, the server why, and others go on`, async () => {
      const server = await start()
      const good = await entered(server, 'laptop')
      const { clientError, serverError } = await isRefused(server, overTls(server), [authJwt({ token: make() })])
      expect(clientError).to.include({ code: 'auth.refused', side: 'server', detail: undefined })
      expect(serverError?.code).to.equal('auth.refused')
      expect(serverError?.detail).to.match(reason)
      await works(good)
    })
  }
  it('refuses a certificate that was revoked, from the next session on', async () => {
    let ahead = 0
    const clock = {
      now: () => Date.now() + ahead,
      after: (ms: number, fn: () => void) => {
        const timer = setTimeout(fn, ms).unref()
        return () => clearTimeout(timer)
      }
    }
    const server = await start(Object.values(servers), { clock })
    const [good, stolen] = [await entered(server, 'laptop'), await entered(server, 'stolen')]
    await write('crl.pem', await revoke(authority, [await readFile(join(dir, 'stolen.pem'), 'utf8')]))
    // files are looked at every two seconds
    ahead += 2_000
    const { clientError, serverError } = await isRefused(server, overTls(server, 'stolen'), [authMtls()])
    expect(clientError).to.include({ code: 'auth.refused', side: 'server', detail: undefined })
    expect(serverError?.detail).to.match(/revoked by .*crl\.pem$/)
    await works(good)
    await works(stolen)
  })

  it('refuses a certificate that has expired, or is of another authority', async () => {
    const server = await start()
    const good = await entered(server, 'laptop')
    const long = { commonName: 'laptop', names: ['email:anna@example.org'] }
    await keep(
      'old',
      await issueClient(authority, {
        keyType: 'ec',
        ...long,
        days: 1,
        notBefore: new Date(Date.now() - 2 * 86_400_000)
      })
    )
    const other = await makeAuthority({ keyType: 'ec', commonName: 'house' })
    await keep('foreign', await issueClient(other, long))
    for (const name of ['old', 'foreign']) {
      const { clientError, serverError } = await isRefused(server, overTls(server, name), [authMtls()])
      expect(clientError).to.include({ code: 'auth.no-method', side: 'server', detail: 'offered: mtls' })
      expect(clientError.hint).to.match(/the log of the server says why/)
      expect(serverError?.detail).to.match(/mtls: no verified certificate on this link/)
      const both = [authMtls(), authToken({ token })]
      expect((await enters(overTls(server, name), both))?.id, 'what else it has counts').to.equal('home')
    }
    await works(good)
  })

  it('refuses a certificate that no rule matches', async () => {
    const server = await start()
    const { clientError, serverError } = await isRefused(server, overTls(server, 'guest'), [
      authMtls(),
      authToken({ token: 'x'.repeat(20) })
    ])
    expect(clientError).to.include({ code: 'auth.refused', detail: undefined })
    expect(serverError?.detail).to.match(/no rule matches$/)
  })

  it('is not fooled by a relay in between that the client trusts', async () => {
    const server = await start()
    // A certificate of the same authority: the client cannot tell.
    const file = (name: string): Promise<string> => readFile(join(dir, name), 'utf8')
    const own = { cert: await file('server.pem'), key: await file('server.key') }
    const { port, relayed } = await tlsRelay(portOf(server, 0), own, authority.cert)
    for (const [name, use] of [
      [undefined, authToken({ token })],
      [undefined, authJwt({ token: jwt() })],
      ['laptop', authMtls()]
    ] as const) {
      const before = relayed()
      const { clientError, serverError } = await isRefused(server, overTls(server, name, port), [use])
      expect(relayed() - before, 'bytes that were relayed').to.be.above(100)
      expect(clientError.code).to.equal(name === undefined ? 'auth.refused' : 'auth.no-method')
      expect(serverError?.code).to.equal(clientError.code)
    }
  })
})
