import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { once } from 'node:events'
import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { audience, forged, issuer, outcome, type Ready, ready, tokenOf, usual } from './setup.js'

interface Member {
  readonly kid: string
  readonly privateKey: KeyObject
  readonly jwk: object
}
const member = (kid: string, more: object = {}): Member => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { kid, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', ...more } }
}
const setOf = (...members: readonly Member[]): string => JSON.stringify({ keys: members.map(({ jwk }) => jwk) })
const [first, second] = [member('first'), member('second')] as [Member, Member]
const by = ({ kid, privateKey }: Member, claims = {}): Promise<string> =>
  tokenOf(privateKey, { alg: 'ES256', kid }, claims)
const unknown = (kid: string): string => forged({ alg: 'ES256', kid }, usual, Buffer.alloc(64, 1))

describe('key sets of auth-jwt', () => {
  let requests = 0
  let respond: http.RequestListener
  let web: http.Server
  let address = ''
  const servers: Ready[] = []
  const give = (text: string, status = 200): void => {
    respond = (_, response) => void response.writeHead(status).end(text)
  }
  const start = async (more: object = {}): Promise<Ready> => {
    const server = ready({ issuers: [{ issuer, audience, jwks: address, ...more }] })
    servers.push(server)
    await server.start()
    return server
  }
  beforeEach(async () => {
    requests = 0
    give(setOf(first))
    web = http.createServer((request, response) => {
      requests += 1
      respond(request, response)
    })
    web.listen(0, '127.0.0.1')
    await once(web, 'listening')
    address = `http://127.0.0.1:${(web.address() as AddressInfo).port}/jwks`
  })
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.stop()
    web.closeAllConnections()
    web.close()
  })

  it('are fetched once for many, and kept', async () => {
    const server = await start()
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, at) => by(first, { sub: `n${at}` })))
    const found = await Promise.all(tokens.map((token) => outcome(server, token)))
    expect(found).to.deep.equal(tokens.map((_, at) => `n${at}`))
    expect(await outcome(server, await by(first))).to.equal('nas')
    expect(requests).to.equal(1)
  })

  it('are fetched again for a new key, and for every key when they are old', async () => {
    const server = await start()
    expect(await outcome(server, await by(first))).to.equal('nas')
    give(setOf(second))
    server.clock.advance(30_000)
    expect(await outcome(server, await by(second))).to.equal('nas')
    expect(requests).to.equal(2)
    expect(await outcome(server, await by(first)), 'a key that was taken back').to.match(/no applicable key found/)
    give(setOf(first))
    server.clock.advance(600_001)
    expect(await outcome(server, await by(first, { exp: (usual.exp as number) + 3600 }))).to.equal('nas')
    expect(requests).to.equal(3)
  })

  it('are not fetched for each unknown key of a flood', async () => {
    const server = await start()
    expect(await outcome(server, await by(first))).to.equal('nas')
    const flood = async (): Promise<void> => {
      const answers = await Promise.all(Array.from({ length: 200 }, (_, at) => outcome(server, unknown(`k${at}`))))
      for (const answer of answers) expect(answer).to.match(/no applicable key found/)
      for (let at = 0; at < 20; at++) await outcome(server, unknown(`again ${at}`))
    }
    await flood()
    expect(requests, 'within the cooldown').to.equal(1)
    server.clock.advance(30_000)
    await flood()
    expect(requests, 'after the cooldown').to.equal(2)
    expect(await outcome(server, await by(first))).to.equal('nas')
  })

  it('that are slow do not affect tokens whose key is known', async () => {
    const server = await start()
    expect(await outcome(server, await by(first))).to.equal('nas')
    respond = () => {}
    server.clock.advance(30_000)
    const waiting = outcome(server, unknown('new'))
    await until(() => requests === 2)
    expect(await outcome(server, await by(first)), 'meanwhile').to.equal('nas')
    server.clock.advance(4_000)
    expect(await waiting).to.match(/no applicable key found/)
    expect(server.warnings().join()).to.match(/no complete response within 4000 ms; keeping the previous keys/)
  })

  it('that stop in the middle are given up', async () => {
    respond = (_, response) => void response.writeHead(200).write('{"keys":[')
    const server = await start()
    await until(() => requests === 1)
    const waiting = outcome(server, await by(first))
    server.clock.advance(4_000)
    expect(await waiting).to.match(/no keys from/)
  })

  it('that are gone leave what was fetched before for a time, and come back', async () => {
    const server = await start()
    const token = await by(first, { exp: (usual.exp as number) + 100_000 })
    expect(await outcome(server, token)).to.equal('nas')
    give('gone', 503)
    server.clock.advance(600_001)
    expect(await outcome(server, token)).to.equal('nas')
    expect(server.warnings().join()).to.match(/response status 503/)
    for (let at = 0; at < 10; at++) await outcome(server, token)
    expect(requests, 'within the cooldown').to.equal(2)
    server.clock.advance(3_600_000)
    expect(await outcome(server, token)).to.match(/no keys from/)
    expect(requests).to.equal(3)
    give(setOf(first))
    expect(await outcome(server, token), 'it is not tried for each who asks').to.match(/no keys from/)
    server.clock.advance(5_000)
    expect(await outcome(server, token)).to.equal('nas')
    expect(requests).to.equal(4)
  })

  for (const [what, text] of [
    ['garbage', '<html>'],
    ['nothing', ''],
    ['no set', '[]'],
    ['an empty set', '{"keys":[]}'],
    ['keys that are not valid', '{"keys":[null,7]}'],
    [
      'too many keys',
      JSON.stringify({ keys: Array.from({ length: 101 }, (_, at) => ({ ...first.jwk, kid: `${at}` })) })
    ],
    ['more than it may have', `${' '.repeat((1 << 20) + 1)}${setOf(first)}`]
  ] as const) {
    it(`that are ${what} are not taken, and leave what was fetched before`, async () => {
      give(text)
      const server = await start()
      expect(await outcome(server, await by(first))).to.match(/no keys from/)
      expect(server.warnings().join()).to.match(/invalid key set|larger than 1048576 bytes/)
      give(setOf(first))
      server.clock.advance(5_000)
      expect(await outcome(server, await by(first))).to.equal('nas')
      give(text)
      server.clock.advance(30_000)
      expect(await outcome(server, unknown('new'))).to.match(/no applicable key/)
      expect(await outcome(server, await by(first))).to.equal('nas')
      expect(requests).to.equal(3)
    })
  }

  it('that never end are given up', async () => {
    let written = 0
    respond = (_, response) => {
      response.on('error', () => {})
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, 0x20))) written += 65_536
      }
      response.on('drain', more)
      more()
    }
    const server = await start()
    expect(await outcome(server, await by(first))).to.match(/no keys from/)
    expect(server.warnings().join()).to.match(/larger than 1048576 bytes/)
    expect(written).to.be.below(64 << 20)
  })

  it('are not looked for where an answer points to', async () => {
    respond = (request, response) => {
      if (request.url === '/jwks') response.writeHead(302, { location: '/other' }).end()
      else response.end(setOf(first))
    }
    const server = await start()
    expect(await outcome(server, await by(first))).to.match(/no keys from/)
    expect(server.warnings().join()).to.match(/response status 302/)
    expect(requests).to.equal(1)
  })

  it('are fetched no more when the extension is stopped', async () => {
    let gone = false
    respond = (request) => void request.socket.once('close', () => (gone = true))
    const server = await start()
    await until(() => requests === 1)
    const waiting = outcome(server, await by(first))
    await server.stop()
    expect(await waiting).to.match(/no keys from/)
    await until(() => gone)
    expect(server.warnings()).to.deep.equal([])
  })

  it('give no secrets for HMAC, and no keys for anything but signatures', async () => {
    const k = Buffer.alloc(32, 7).toString('base64url')
    const oct = { kty: 'oct', kid: 'shared', k, alg: 'HS256' }
    const enc = member('enc', { use: 'enc' })
    give(JSON.stringify({ keys: [oct, enc.jwk, first.jwk] }))
    const server = await start()
    const unsigned = forged({ alg: 'HS256', kid: 'shared' }, usual).slice(0, -1)
    const signature = createHmac('sha256', Buffer.alloc(32, 7)).update(unsigned).digest('base64url')
    expect(await outcome(server, `${unsigned}.${signature}`)).to.match(/"HS256" is not allowed/)
    expect(await outcome(server, await by(enc))).to.match(/no applicable key/)
    expect(await outcome(server, await by(first))).to.equal('nas')
  })

  it('find the key of a token that does not name it', async () => {
    give(setOf(first, second))
    const server = await start()
    for (const { privateKey } of [first, second]) {
      expect(await outcome(server, await tokenOf(privateKey, { alg: 'ES256' }))).to.equal('nas')
    }
    const foreign = member('x')
    expect(await outcome(server, await tokenOf(foreign.privateKey, { alg: 'ES256' }))).to.match(/verification failed/)
  })

  describe('in files', () => {
    let dir = ''
    const write = async (name: string, text: string): Promise<void> => {
      await writeFile(join(dir, 'new'), text)
      await rename(join(dir, 'new'), join(dir, name))
    }
    beforeEach(async () => {
      dir = await mkdtemp(join(tmpdir(), 'rystra-jwks-'))
    })
    afterEach(() => rm(dir, { recursive: true }))
    const byFile = (more: object) => ready({ issuers: [{ issuer, audience, ...more }] }, { dir })

    it('count from the next check on when they change, and break without harm', async () => {
      await write('keys.json', setOf(first))
      const server = byFile({ jwks: 'keys.json' })
      await server.start()
      expect(await outcome(server, await by(first))).to.equal('nas')
      await write('keys.json', setOf(second))
      expect(await outcome(server, await by(second))).to.match(/no applicable key/)
      server.clock.advance(2_000)
      expect(await outcome(server, await by(second))).to.equal('nas')
      expect(await outcome(server, await by(first))).to.match(/no applicable key/)
      await write('keys.json', 'garbage')
      server.clock.advance(2_000)
      expect(await outcome(server, await by(second))).to.equal('nas')
      expect(server.warnings().join()).to.match(/keeping the previous keys: .*not JSON/)
    })

    it('and secrets and public keys that cannot be used fail the start', async () => {
      const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
      const good = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const x = generateKeyPairSync('x25519')
      const pem = (key: KeyObject): string =>
        key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' }) as string
      for (const [option, text] of [
        ['jwks', 'garbage'],
        ['jwks', undefined],
        ['secretFile', 'short\n'],
        ['publicKey', 'garbage'],
        ['publicKey', pem(weak.publicKey)],
        ['publicKey', pem(x.publicKey)],
        ['publicKey', pem(good.privateKey)]
      ] as const) {
        if (text === undefined) await rm(join(dir, 'file'))
        else await write('file', text)
        const error = await byFile({ [option]: 'file' })
          .start()
          .then(
            () => undefined,
            (thrown: Error) => thrown
          )
        expect(error, `${option} ${text}`).to.have.property('code', 'extension.options')
        expect(error?.message).not.to.match(/MII|short/)
      }
    })

    it('may hold a secret', async () => {
      await write('secret', `${'s'.repeat(32)}\n`)
      const server = byFile({ secretFile: 'secret' })
      await server.start()
      expect(await outcome(server, await tokenOf(Buffer.from('s'.repeat(32)), { alg: 'HS256' }))).to.equal('nas')
    })
  })
})
