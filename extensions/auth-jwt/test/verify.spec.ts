import { expect } from 'chai'
import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  answerTo,
  audience,
  challenge,
  forged,
  forgedHmac,
  issuer,
  outcome,
  overTls,
  ready,
  seconds,
  tokenOf,
  usual
} from './setup.js'

const secret = 'a secret of both ends, 32 bytes at least'
const key = Buffer.from(secret)
const hs = { alg: 'HS256' }
const byRsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pairs: Record<string, { publicKey: KeyObject; privateKey: KeyObject }> = {
  RS256: byRsa,
  PS384: byRsa,
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  EdDSA: generateKeyPairSync('ed25519')
}
const pemOf = (publicKey: KeyObject): string => publicKey.export({ type: 'spki', format: 'pem' }) as string

describe('auth-jwt', () => {
  let dir = ''
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'rystra-jwt-'))
    for (const [alg, { publicKey }] of Object.entries(pairs)) await writeFile(join(dir, `${alg}.pem`), pemOf(publicKey))
  })
  after(() => rm(dir, { recursive: true }))

  const bySecret = (more: object = {}) => ready({ issuers: [{ issuer, audience, secret, ...more }] })
  const byKey = async (alg: string, more: object = {}) => {
    const server = ready({ issuers: [{ issuer, audience, publicKey: `${alg}.pem`, ...more }] }, { dir })
    await server.start()
    return server
  }

  it('finds the identity under HMAC, and takes no weaker hash than its key is for', async () => {
    expect(await outcome(bySecret(), await tokenOf(key, hs))).to.equal('nas')
    const longer = 'x'.repeat(64)
    expect(await outcome(bySecret({ secret: longer }), await tokenOf(Buffer.from(longer), { alg: 'HS512' }))).to.equal(
      'nas'
    )
    expect(
      await outcome(
        bySecret(),
        await tokenOf(key, { alg: 'HS512' }).catch(() => forged({ alg: 'HS512' }, usual, 'AAAA'))
      )
    ).to.match(/algorithm "HS512" is not allowed/)
  })

  for (const alg of Object.keys(pairs)) {
    it(`finds the identity under ${alg}, and no identity under another key`, async () => {
      const server = await byKey(alg)
      const { privateKey } = pairs[alg] as { privateKey: KeyObject }
      expect(await outcome(server, await tokenOf(privateKey, { alg }))).to.equal('nas')
      const type = privateKey.asymmetricKeyType as 'rsa'
      const options = { modulusLength: 2048, namedCurve: privateKey.asymmetricKeyDetails?.namedCurve }
      const { privateKey: other } = generateKeyPairSync(type, options)
      expect(await outcome(server, await tokenOf(other, { alg }))).to.match(/signature verification failed/)
    })
  }

  it('refuses tokens without a signature', async () => {
    for (const server of [bySecret(), await byKey('RS256')]) {
      for (const alg of ['none', 'None', 'NONE', 'nOnE']) {
        expect(await outcome(server, forged({ alg }, usual)), alg).to.match(/algorithm "\w+" is not allowed/)
        expect(await outcome(server, forged({ alg }, usual, 'AAAA')), alg).to.match(/is not allowed/)
      }
      expect(await outcome(server, forged({}, usual))).to.match(/algorithm nothing is not allowed/)
      expect(await outcome(server, forged({ alg: ['RS256'] }, usual))).to.match(/is not allowed/)
    }
  })

  it('takes no public key for the secret of an HMAC', async () => {
    for (const alg of ['RS256', 'ES256', 'EdDSA']) {
      const { publicKey } = pairs[alg] as { publicKey: KeyObject }
      const server = await byKey(alg)
      for (const guess of [pemOf(publicKey), publicKey.export({ type: 'spki', format: 'der' })]) {
        expect(await outcome(server, forgedHmac(hs, usual, guess))).to.match(/algorithm "HS256" is not allowed/)
      }
      expect(await outcome(server, forgedHmac({ alg }, usual, pemOf(publicKey)))).to.match(/^refused/)
    }
  })

  it('takes no key that the token brings along', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const jwk = publicKey.export({ format: 'jwk' })
    const server = await byKey('RS256')
    for (const more of [{ jwk }, { jku: 'http://127.0.0.1:1/' }, { x5c: ['AAAA'] }, { x5u: 'http://127.0.0.1:1/' }]) {
      expect(await outcome(server, await tokenOf(privateKey, { alg: 'RS256', ...more } as never))).to.match(
        /signature verification failed/
      )
    }
  })

  it('takes only the algorithms that are allowed', async () => {
    const server = await byKey('RS256', { algorithms: ['PS384'] })
    expect(await outcome(server, await tokenOf(byRsa.privateKey, { alg: 'RS256' }))).to.match(/"RS256" is not allowed/)
    expect(await outcome(server, await tokenOf(byRsa.privateKey, { alg: 'PS384' }))).to.equal('nas')
    const confused = await byKey('ES256')
    expect(await outcome(confused, await tokenOf(byRsa.privateKey, { alg: 'RS256' }))).to.match(/RS256 does not match/)
  })

  it('refuses tokens of another issuer, for another service, or without what it needs', async () => {
    for (const [claims, reason] of [
      [{ iss: 'https://other.example.org' }, /untrusted issuer "https:\/\/other/],
      [{ iss: undefined }, /untrusted issuer nothing/],
      [{ iss: [issuer] }, /untrusted issuer \[/],
      [{ aud: 'other' }, /unexpected "aud"/],
      [{ aud: undefined }, /"aud"/],
      [{ exp: undefined }, /missing required "exp"/],
      [{ sub: undefined }, /claim sub is not text/],
      [{ sub: '' }, /claim sub is empty/],
      [{ sub: { a: 1 } }, /claim sub is not text/],
      [{ sub: 2 ** 53 }, /claim sub is not a safe integer/],
      [{ sub: 1.5 }, /claim sub is not a safe integer/],
      [{ sub: 'a\nb' }, /cannot be shown/],
      [{ sub: 'x'.repeat(129) }, /129 characters/]
    ] as const) {
      expect(await outcome(bySecret(), await tokenOf(key, hs, claims as never)), JSON.stringify(claims)).to.match(
        reason
      )
    }
    expect(await outcome(bySecret(), await tokenOf(key, hs, { aud: ['other', audience] }))).to.equal('nas')
    const either = bySecret({ audience: ['a', 'b'] })
    expect(await outcome(either, await tokenOf(key, hs, { aud: 'b' }))).to.equal('nas')
    expect(
      await outcome(bySecret({ requireExpiry: false }), await tokenOf(key, hs, { exp: undefined as never }))
    ).to.equal('nas')
  })

  it('refuses tokens that have expired, that are not valid yet, or too old, but for the clocks', async () => {
    const server = bySecret()
    const at = async (claims: Record<string, unknown>, more = {}) =>
      outcome(bySecret(more), await tokenOf(key, hs, claims))
    expect(await at({ exp: seconds - 29 })).to.equal('nas')
    expect(await at({ exp: seconds - 31 })).to.match(/"exp" claim timestamp check failed/)
    expect(await at({ exp: seconds - 29 }, { clockTolerance: 0 })).to.match(/"exp"/)
    expect(await at({ nbf: seconds + 29 })).to.equal('nas')
    expect(await at({ nbf: seconds + 31 })).to.match(/"nbf"/)
    expect(await at({ iat: seconds - 91 }, { maxTokenAge: 60_000 })).to.match(/"iat"/)
    expect(await at({ iat: seconds - 89 }, { maxTokenAge: 60_000 })).to.equal('nas')
    expect(await at({ exp: 'never' })).to.match(/"exp"/)
    const token = await tokenOf(key, hs)
    expect(await outcome(server, token)).to.equal('nas')
    server.clock.advance(631_000)
    expect(await outcome(server, token)).to.match(/"exp"/)
  })

  it('makes ids and rights of claims', async () => {
    const token = await tokenOf(key, hs, {
      'kubernetes.io': { namespace: 'home' },
      'https://example.org/kinds': ['tcp'],
      n: 7,
      realm: { roles: ['a', 'b/c'] }
    })
    for (const [identity, id] of [
      ['{iss}#{sub}', `${issuer}#nas`],
      ['{/kubernetes.io/namespace}/{n}', 'home/7'],
      ['{/realm/roles/1}', 'b/c']
    ] as const) {
      expect(await outcome(bySecret({ identity }), token)).to.equal(id)
    }
    const server = bySecret({
      rights: { ports: [80], kinds: [] },
      rightsFrom: { kinds: '/https:~1~1example.org~1kinds', groups: 'groups', roles: '/realm/roles' }
    })
    expect(await answerTo(server, token)).to.deep.include({
      identity: { id: 'nas', rights: { ports: [80], kinds: ['tcp'], roles: ['a', 'b/c'] } }
    })
    expect(await answerTo(bySecret({ rights: { a: 1 } }), token)).to.have.deep.nested.property('identity.rights', {
      a: 1
    })
    for (const path of ['constructor', '/realm/roles/length', '/realm/__proto__', '/n/toString', '__proto__']) {
      expect(await outcome(bySecret({ identity: `{${path}}` }), token), path).to.match(/is not text/)
      expect(await answerTo(bySecret({ rightsFrom: { x: path } }), token)).to.deep.nested.property(
        'identity.rights',
        {}
      )
    }
  })

  it('requires the claims that the configuration names', async () => {
    const token = await tokenOf(key, hs, { repository: 'acme/web', groups: ['x', 'tunnels'], mfa: true, level: 3 })
    for (const [claims, reason] of [
      [{ repository: 'acme/*', groups: 'tunnels', mfa: true, level: 3 }, /^nas$/],
      [{ repository: 'acme/api' }, /claim repository has another value/],
      [{ repository: 'acme/*', groups: 'admins' }, /claim groups has another value/],
      [{ mfa: 'true' }, /claim mfa has another value/],
      [{ level: 4 }, /claim level has another value/],
      [{ tenant: '*' }, /claim tenant is missing/]
    ] as const) {
      expect(await outcome(bySecret({ claims }), token), JSON.stringify(claims)).to.match(reason)
    }
  })

  it('accepts a token that is bound to a certificate only with that certificate', async () => {
    const certificate = Buffer.from('a certificate')
    const thumbprint = createHash('sha256').update(certificate).digest('base64url')
    const server = bySecret()
    const bound = await tokenOf(key, hs, { cnf: { 'x5t#S256': thumbprint } })
    expect(await outcome(server, bound, overTls(certificate))).to.equal('nas')
    expect(await outcome(server, bound, overTls(Buffer.from('another one')))).to.match(/bound to another certificate/)
    expect(await outcome(server, bound, overTls())).to.match(/the link has none/)
    for (const cnf of [{ jkt: 'x' }, { 'x5t#S256': thumbprint, jkt: 'x' }, {}, null, 'x', { 'x5t#S256': 7 }]) {
      expect(await outcome(server, await tokenOf(key, hs, { cnf }), overTls(certificate))).to.match(
        /unsupported key binding/
      )
    }
  })

  it('keeps issuers apart', async () => {
    const second = 'another secret of 32 bytes at least!!'
    const other = 'https://other.example.org'
    const server = ready({
      issuers: [
        { issuer, secret, identity: 'one/{sub}' },
        { issuer: other, secret: second, identity: 'two/{sub}' }
      ]
    })
    expect(await outcome(server, await tokenOf(key, hs))).to.equal('one/nas')
    expect(await outcome(server, await tokenOf(Buffer.from(second), hs, { iss: other }))).to.equal('two/nas')
    expect(await outcome(server, await tokenOf(Buffer.from(second), hs))).to.match(/signature verification failed/)
    expect(await outcome(server, await tokenOf(key, hs, { iss: other }))).to.match(/signature verification failed/)
  })

  it('refuses what is no token, without a throw, and shows none of it in the reason', async () => {
    const { authenticator } = bySecret()
    const good = await tokenOf(key, hs)
    const [head = '', body = '', signature = ''] = good.split('.')
    const texts = [
      `${head}.${body}.`,
      `${head}.${body.slice(0, -4)}.${signature}`,
      `${Buffer.from('{"alg":').toString('base64url')}.${body}.${signature}`,
      `${Buffer.from('[]').toString('base64url')}.${body}.${signature}`,
      `${head}.${Buffer.from('7').toString('base64url')}.${signature}`,
      `${head}.${Buffer.from('{'.repeat(9000)).toString('base64url')}.${signature}`,
      forged({ ...hs, crit: ['x'], x: 1 }, usual, 'AAAA'),
      forged({ ...hs, b64: false, crit: ['b64'] }, usual, 'AAAA'),
      forged({ ...hs, kid: 'k'.repeat(9000) }, usual, 'AAAA')
    ]
    for (const text of texts) {
      const said = await outcome(bySecret(), text)
      expect(said).to.match(/^refused: token: /)
      expect(said.length).to.be.below(200)
    }
    const wrong = await authenticator.verify?.(Buffer.alloc(16_384, 0x41), challenge(), overTls())
    expect(wrong)
      .to.have.property('deny')
      .that.matches(/without token/)
    const reason = await outcome(bySecret(), `${head}.${body}.${'A'.repeat(43)}`)
    expect(reason).to.match(/signature verification failed/)
    for (const part of [head, body, secret]) expect(reason).not.to.include(part)
  })

  it('is not set up so that it accepts more than meant', () => {
    for (const [entry, reason] of [
      [{}, /exactly one of secret, secretFile/],
      [{ secret, publicKey: 'x.pem' }, /exactly one of/],
      [{ secret: 'x'.repeat(31) }, /31 bytes: expected at least 32/],
      [{ issuer, publicKey: 'x.pem' }, /audience is required/],
      [{ issuer, jwks: 'https://id.example.org/jwks' }, /audience is required/],
      [{ audience, jwks: 'https://id.example.org/jwks' }, /issuer is required/],
      [{ issuer, audience, jwks: 'http://id.example.org/jwks' }, /must be https/],
      [{ issuer, audience, jwks: 'https://user:hidden@id.example.org/' }, /credentials/],
      [{ issuer, audience, jwks: 'https://' }, /is not a URL/],
      [{ issuer, audience, publicKey: 'x.pem', algorithms: ['HS256'] }, /HS256 does not match/],
      [{ secret, algorithms: ['RS256'] }, /RS256 does not match/],
      [{ secret, algorithms: ['HS512'] }, /HS512 does not match/],
      [{ secret, identity: '{sub' }, /unmatched brace/]
    ] as const) {
      expect(() => ready({ issuers: [entry] }), JSON.stringify(entry))
        .to.throw(reason)
        .with.property('code', 'extension.options')
      expect(() => ready({ issuers: [entry] })).not.to.throw(/hidden|xxxxxxxx/)
    }
    const twice = [
      { issuer, secret },
      { issuer: 'b', secret }
    ]
    expect(() => ready({ issuers: twice })).to.throw(/the same `identity` for several issuers/)
    expect(() => ready({ issuers: [{ secret }, { issuer, secret, identity: 'x/{sub}' }] })).to.throw(/its own `issuer`/)
    ready({ issuers: twice.map((entry) => ({ ...entry, identity: '{iss}#{sub}' })) })
  })

  it('admits no peer without issuers, and says so', () => {
    const server = ready({ token: forged(hs, usual, 'AAAA') })
    expect(server.authenticator.verify).to.equal(undefined)
    expect(server.warnings().join()).to.match(/clients cannot authenticate/)
  })
})
