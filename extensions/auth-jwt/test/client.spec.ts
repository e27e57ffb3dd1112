import { expect } from 'chai'
import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { challenge, forged, now, outcome, overTls, plain, type Ready, ready, seconds, tokenOf, usual } from './setup.js'

const secret = 'a secret of both ends, 32 bytes at least'
const key = Buffer.from(secret)
const server = () => ready({ issuers: [{ secret }] })
const sent = async (client: Ready): Promise<string> =>
  Buffer.from((await client.authenticator.prove?.(challenge(), overTls()))?.proof ?? '').toString('latin1', 32)

describe('the client of auth-jwt', () => {
  let dir = ''
  const write = async (text: string): Promise<void> => {
    await writeFile(join(dir, 'new'), text)
    await rename(join(dir, 'new'), join(dir, 'token'))
  }
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'rystra-jwt-'))
  })
  afterEach(() => rm(dir, { recursive: true }))
  const byFile = () => ready({ file: 'token' }, { role: 'client', dir })

  it('sends no token over a link without TLS, unless the option allows it', async () => {
    const token = await tokenOf(key, { alg: 'HS256' })
    const client = ready({ token }, { role: 'client' }).authenticator
    expect(client.unfit?.(plain)).to.match(/no TLS/)
    expect(client.unfit?.(overTls())).to.equal(undefined)
    const brave = ready({ token, allowPlain: true }, { role: 'client' }).authenticator
    expect(brave.unfit?.(plain)).to.equal(undefined)
  })

  it('has nothing to offer without a token', () => {
    expect(ready({ issuers: [{ secret }] }, { role: 'client' }).authenticator.prove).to.equal(undefined)
  })

  it('reads its file for each session, through links as well', async () => {
    const [first, second] = [await tokenOf(key, { alg: 'HS256' }), await tokenOf(key, { alg: 'HS256' }, { sub: 'b' })]
    await writeFile(join(dir, 'one'), `  ${first}\n`)
    await writeFile(join(dir, 'two'), second)
    await symlink('one', join(dir, 'token'))
    const client = byFile()
    await client.start()
    expect(await sent(client)).to.equal(first)
    // how Kubernetes replaces the tokens of service accounts
    await symlink('two', join(dir, 'next'))
    await rename(join(dir, 'next'), join(dir, 'token'))
    expect(await sent(client)).to.equal(second)
    expect(await outcome(server(), await sent(client))).to.equal('b')
  })

  it('goes on with the token from before when the file breaks later, and says so', async () => {
    const token = await tokenOf(key, { alg: 'HS256' })
    await write(token)
    const client = byFile()
    await client.start()
    for (const text of ['', 'no token', `${token} ${token}`, 'x'.repeat(40_000), undefined]) {
      if (text === undefined) await rm(join(dir, 'token'))
      else await write(text)
      expect(await sent(client)).to.equal(token)
    }
    expect(client.warnings().filter((line) => /keeping the previous token/.test(line))).to.have.length(5)
    expect(client.warnings().join()).not.to.include(token)
  })

  it('does not start with a file that is missing or without token', async () => {
    for (const text of [undefined, '', 'no.token', 'x'.repeat(40_000)]) {
      if (text !== undefined) await write(text)
      const error = await byFile()
        .start()
        .then(
          () => undefined,
          (thrown: Error) => thrown
        )
      expect(error).to.have.property('code', 'extension.options')
    }
  })

  it('is not set up with what is no token, or does not match into a proof', () => {
    const huge = forged({ alg: 'HS256' }, { ...usual, groups: 'x'.repeat(12_300) }, 'AAAA')
    for (const [token, reason] of [
      ['secret', /not a JSON Web Token/],
      ['a.b.c.d.e', /not a JSON Web Token/],
      [huge, /characters, more than 16352/]
    ] as const) {
      expect(() => ready({ token }, { role: 'client' }))
        .to.throw(reason)
        .with.property('code', 'extension.options')
      expect(() => ready({ token }, { role: 'client' })).not.to.throw(/secret|AAAA/)
    }
    expect(() => ready({ token: 'a.b.c', file: 'x' }, { role: 'client' })).to.throw(/one of token and file/)
  })

  it('sends tokens as large as identity providers make them', async () => {
    const token = await tokenOf(
      key,
      { alg: 'HS256' },
      { groups: Array.from({ length: 300 }, (_, at) => `group ${at} of a large house`) }
    )
    expect(token.length).to.be.within(10_000, 16_352)
    expect(await outcome(server(), token)).to.equal('nas')
  })

  it('says that its token has expired, since the server does not', async () => {
    const token = await tokenOf(key, { alg: 'HS256' }, { exp: seconds + 10 })
    const client = ready({ token }, { role: 'client' })
    await sent(client)
    expect(client.warnings()).to.deep.equal([])
    client.clock.advance(10_000)
    expect(client.clock.now()).to.equal(now + 10_000)
    await sent(client)
    expect(client.warnings().join()).to.match(/has expired on 2026-01-01T00:00:10/)
  })
})
