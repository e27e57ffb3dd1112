import { expect } from 'chai'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answerTo, audience, issuer, overTls, type Ready, ready, tokenOf } from './setup.js'

const secret = 'a secret of both ends, 32 bytes at least'
const other = 'another secret, which is long enough too'
const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }) as string

describe('auth-jwt, the review of a session', () => {
  const dir = mkdtempSync(join(tmpdir(), 'rystra-jwt-'))
  after(() => rmSync(dir, { recursive: true }))

  const usual = { issuer, audience, secret }
  const server = (options: object = {}): Ready => ready({ issuers: [{ ...usual, ...options }] }, { dir })

  const credentialOf = async (at: Ready, token: string): Promise<string> => {
    const answer = await answerTo(at, token)
    if ('deny' in answer || answer.credential === undefined) throw new Error(JSON.stringify(answer))
    return answer.credential
  }

  const review = (at: Ready, credential: string) =>
    at.authenticator.review?.({ identity: { id: 'nas' }, clientId: 'nas', peer: overTls(), credential })

  const bySecret = async (claims = {}): Promise<string> =>
    credentialOf(server(), await tokenOf(Buffer.from(secret), { alg: 'HS256' }, claims))

  it('keeps one whose token would be accepted, and gives it the rights that it has now', async () => {
    const credential = await bySecret({ team: 'red' })
    expect(review(server(), credential)).to.deep.equal({ identity: { id: 'nas' } })
    expect(review(server({ rightsFrom: { team: 'team' } }), credential)).to.deep.equal({
      identity: { id: 'nas', rights: { team: 'red' } }
    })
  })

  it('ends one whose key, issuer, algorithm, audience or claims are no longer accepted', async () => {
    const credential = await bySecret({ team: 'red' })
    const denied = (options: object): string => (review(server(options), credential) as { deny: string }).deny
    expect(denied({ secret: other })).to.contain('its key is no longer configured')
    expect(denied({ issuer: 'https://other.example.org' })).to.contain('untrusted issuer')
    expect(denied({ secret: 'x'.repeat(64), algorithms: ['HS512'] })).to.contain('algorithm "HS256" is not allowed')
    expect(denied({ audience: 'others' })).to.contain('another audience')
    expect(denied({ claims: { team: 'blue' } })).to.contain('claim team has another value')
  })

  it('tells the keys of a file once it is read, of one and of a set', async () => {
    const [one, two] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')]
    const set = (...keys: KeyObject[]): string =>
      JSON.stringify({ keys: keys.map((key) => key.export({ format: 'jwk' })) })
    writeFileSync(join(dir, 'one.pem'), pem(one.publicKey))
    writeFileSync(join(dir, 'two.pem'), pem(two.publicKey))
    writeFileSync(join(dir, 'both.json'), set(one.publicKey, two.publicKey))
    writeFileSync(join(dir, 'two.json'), set(two.publicKey))
    const by = (keys: object): Ready => server({ secret: undefined, ...keys })
    const first = by({ publicKey: 'one.pem' })
    await first.start()
    const credential = await credentialOf(first, await tokenOf(one.privateKey, { alg: 'EdDSA' }))
    for (const [keys, kept] of [
      [{ publicKey: 'one.pem' }, true],
      [{ publicKey: 'two.pem' }, false],
      [{ jwks: 'both.json' }, true],
      [{ jwks: 'two.json' }, false]
    ] as const) {
      const at = by(keys)
      expect(review(at, credential), 'not read yet').to.have.property('identity')
      await at.start()
      expect(review(at, credential), JSON.stringify(keys)).to.have.property(kept ? 'identity' : 'deny')
    }
  })
})
