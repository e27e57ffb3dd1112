import { silentLog } from '@rystra/plugin'
import { FakeClock, until } from '@rystra/testkit'
import { expect } from 'chai'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { AcmeAuthority, type AcmeAuthorityOptions } from '../src/acme-authority.js'
import { Challenges } from '../src/challenges.js'
import { OrderFailure } from '../src/failure.js'
import { Store } from '../src/store.js'
import { AcmeServer } from './acme-server.js'
import { Files } from './world.js'

const PREFIX = '/.well-known/acme-challenge/'
const host = 'app.example.org'

let server: AcmeServer
let face: http.Server
let challenges: Challenges
let files: Files
let clock: FakeClock
let authority: AcmeAuthority

/** An authority with these options in place of the one before. */
const connect = (options: Partial<AcmeAuthorityOptions> = {}): void => {
  authority?.close()
  const store = new Store(files, silentLog, server.directory)
  authority = new AcmeAuthority({ directory: server.directory, ca: server.ca, store, challenges, clock, ...options })
}

const order = (signal = new AbortController().signal) => authority.issue({ host, challenge: 'http-01', signal })

/** What an order fails with. */
const failure = async (signal?: AbortSignal): Promise<OrderFailure> => {
  try {
    await order(signal)
  } catch (error) {
    if (error instanceof OrderFailure) return error
    throw error
  }
  throw new Error('the order succeeded')
}

describe('orders at an authority', () => {
  before(async () => {
    server = new AcmeServer()
    await server.start()
    face = http.createServer(({ headers, url = '' }, response) =>
      response.end(challenges.http(headers.host ?? '', url.slice(PREFIX.length)))
    )
    face.listen(0, '127.0.0.1')
    await once(face, 'listening')
    server.ports = Promise.resolve({ http: (face.address() as AddressInfo).port, tls: 0 })
  })
  after(() => {
    server.close()
    face.close()
  })
  beforeEach(() => {
    server.interfere = () => undefined
    server.externalAccount = undefined
    server.accounts.clear()
    server.requests.length = 0
    challenges = new Challenges()
    files = new Files()
    clock = new FakeClock(Date.now())
    connect()
  })
  afterEach(() => authority.close())

  it('give a certificate with its issuer, and take back the answer to the challenge', async () => {
    const { cert, key } = await order()
    expect(new X509Certificate(cert).checkHost(host)).to.equal(host)
    expect(cert.match(/BEGIN CERTIFICATE/g)).to.have.length(2)
    expect(key).to.match(/^-----BEGIN PRIVATE KEY-----/)
    const { token } = server.orders.at(-1)?.challenges[0] ?? { token: '' }
    expect(challenges.http(host, token)).to.equal(undefined)
  })

  it('share one account, also when they are made at the same time', async () => {
    await Promise.all([order(), order()])
    connect()
    await order()
    expect(server.accounts.size).to.equal(1)
    expect(server.requests.filter((path) => path === '/account')).to.have.length(1)
  })

  it('make a new account where its file is damaged, or the authority has forgotten it', async () => {
    await order()
    const [file = ''] = files.names('account-')
    files.all.set(file, Buffer.from('{"key":"-----BEGIN'))
    await order()
    expect(server.accounts.size).to.equal(2)
    server.accounts.clear()
    expect(await failure()).to.include({ code: 'account' })
    await order()
    expect(server.accounts.size).to.equal(1)
  })

  it('tell the authority of another address of the owner', async () => {
    connect({ email: 'first@example.org' })
    await order()
    connect({ email: 'second@example.org' })
    await order()
    expect([...server.accounts.values()].map(({ contact }) => contact)).to.deep.equal([['mailto:second@example.org']])
  })

  it('are bound to an external account where the authority asks for one', async () => {
    const externalAccount = { keyId: 'kid-1', hmacKey: Buffer.alloc(32, 7).toString('base64url') }
    server.externalAccount = externalAccount
    expect(await failure()).to.include({ code: 'account' })
    connect({ externalAccount: { ...externalAccount, hmacKey: Buffer.alloc(32, 8).toString('base64url') } })
    expect(await failure()).to.include({ code: 'account' })
    connect({ externalAccount })
    await order()
  })

  it('are not made at a server whose certificate is not trusted', async () => {
    connect({ ca: undefined } as never)
    expect(await failure()).to.include({ code: 'directory' })
    expect(server.requests).to.deep.equal([])
  })

  it('are signed again where the nonce is refused, and not without end', async () => {
    let left = 2
    const body = { type: 'urn:ietf:params:acme:error:badNonce' }
    server.interfere = (path) => (path === '/order' && left-- > 0 ? { status: 400, body } : undefined)
    await order()
    left = Number.POSITIVE_INFINITY
    server.requests.length = 0
    expect(await failure()).to.not.equal(undefined)
    expect(server.requests.filter((path) => path === '/order').length).to.be.lessThan(10)
  })

  it('fail with the pause that the authority asks for', async () => {
    const body = { type: 'urn:ietf:params:acme:error:rateLimited', detail: 'too many\u001b[31m orders' }
    const limited = (after: string) => {
      server.interfere = (path) =>
        path === '/order' ? { status: 429, body, headers: { 'Retry-After': after } } : undefined
    }
    limited('120')
    const { code, pause, detail } = await failure()
    expect({ code, pause, detail }).to.deep.equal({
      code: 'rate-limited',
      pause: 120_000,
      detail: 'rateLimited: too many [31m orders'
    })
    limited(new Date(clock.now() + 90_000).toUTCString())
    expect((await failure()).pause).to.be.within(89_000, 90_000)
    limited('9999999999')
    expect((await failure()).pause).to.equal(86_400_000)
    limited('soon')
    expect((await failure()).pause).to.equal(0)
  })

  it('fail with what the authority found, and take back the answer', async () => {
    server.ports = Promise.resolve({ http: 1, tls: 1 })
    const failed = await failure()
    expect({ code: failed.code, detail: failed.detail }).to.deep.equal({
      code: 'challenge',
      detail: `http-01: ${host} does not answer`
    })
    server.ports = Promise.resolve({ http: (face.address() as AddressInfo).port, tls: 0 })
  })

  const garbage: readonly [string, string, unknown, string?][] = [
    ['a directory of HTML', '/directory', '<html>', 'text/html'],
    ['a directory that is half JSON', '/directory', '{"newNonce":', 'application/json'],
    ['a directory of null', '/directory', null],
    ['a directory without URLs', '/directory', {}],
    ['a directory with a URL without TLS', '/directory', { newNonce: 'http://localhost/nonce' }],
    ['an account of null', '/account', null],
    ['an order without authorizations', '/order', { status: 'pending' }],
    ['an order of null', '/order', null],
    ['an authorization without challenges', '/authorization', { status: 'pending', identifier: { value: host } }],
    [
      'an authorization for another host',
      '/authorization',
      { status: 'pending', identifier: { value: 'x.org' }, challenges: [] }
    ],
    [
      'a token with a path in it',
      '/authorization',
      {
        status: 'pending',
        identifier: { value: host },
        challenges: [{ type: 'http-01', token: '../../etc/passwd', url: 'https://localhost/x' }]
      }
    ],
    ['more than it could ever need to say', '/directory', 'x'.repeat(300_000)]
  ]
  for (const [what, at, body, type] of garbage) {
    it(`fail with a code when the authority answers with ${what}`, async () => {
      const headers: Record<string, string> = type === undefined ? {} : { 'Content-Type': type }
      const answer = { body, headers, ...(at === '/order' || at === '/account' ? { status: 201 } : {}) }
      server.interfere = (path) => (path.startsWith(at) ? answer : undefined)
      expect(await failure())
        .to.have.property('code')
        .that.is.oneOf(['directory', 'order', 'challenge', 'account'])
    })
  }

  it('end when the authority does not answer', async () => {
    let hangs = false
    server.interfere = () => {
      hangs = true
      return 'handled'
    }
    const failed = failure()
    await until(() => hangs, 'the request')
    clock.advance(30_000)
    expect(await failed).to.include({ code: 'directory' })
    expect(clock.pending).to.equal(0)
  })

  it('can be broken off while the authority takes its time', async () => {
    const controller = new AbortController()
    server.interfere = (path) => (path.startsWith('/finalize') ? { body: { status: 'processing' } } : undefined)
    const failed = failure(controller.signal)
    await until(() => server.requests.some((path) => path.startsWith('/finalize')) && clock.pending > 0, 'the wait')
    controller.abort(new OrderFailure('timeout', 'too long'))
    expect(await failed).to.include({ code: 'timeout' })
    await until(() => clock.pending === 0, 'the end of the wait')
  })

  it('are not made when the key of the account cannot be kept', async () => {
    files.full = true
    const error = await order().then(
      () => undefined,
      (cause: unknown) => cause as { code: string }
    )
    expect(error?.code).to.equal('extension.state')
    expect(server.accounts.size).to.equal(0)
  })
})
