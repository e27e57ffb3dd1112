import { issueClient, issueServer, type KeyPair, makeAuthority, revoke, selfSigned } from '@rystra/certificates'
import { isRystraError, type RystraError } from '@rystra/plugin'
import { expect } from 'chai'
import { cleanUp, dialTo, folder, type Listening, startListening, transport, until } from './ends.js'

const DAY = 86_400_000
const ago = (days: number): Date => new Date(Date.now() - days * DAY)

const refusal = async (port: number, fields: Readonly<Record<string, unknown>>, dir: string): Promise<RystraError> => {
  try {
    await dialTo(transport('client', dir), port, fields)
  } catch (error) {
    if (isRystraError(error)) return error
    throw error
  }
  throw new Error('the dial was not refused')
}

/** How a link that was dialed ends: who is turned away by the server learns it after the handshake. */
const endOf = async (port: number, fields: Readonly<Record<string, unknown>>, dir: string): Promise<RystraError> => {
  const link = await dialTo(transport('client', dir), port, fields)
  return new Promise((resolve, reject) => {
    link.onClose = (error) => (isRystraError(error) ? resolve(error) : reject(error ?? new Error('closed cleanly')))
  })
}

describe('certificates over quic', () => {
  let authority: KeyPair
  before(async () => {
    authority = await makeAuthority({ keyType: 'ec', commonName: 'own' })
  })
  afterEach(cleanUp)

  const serve = async (
    pair: { cert: string; key: string },
    fields: Readonly<Record<string, unknown>> = {},
    files: Readonly<Record<string, string>> = {}
  ): Promise<Listening> =>
    startListening({}, fields, { 'cert.pem': pair.cert, 'key.pem': pair.key, 'ca.pem': authority.cert, ...files })

  it('takes a server that an authority has signed, by name and by address', async () => {
    const { port, dir } = await serve(
      await issueServer(authority, { keyType: 'ec', commonName: 'server', names: ['localhost', '127.0.0.1'] })
    )
    const link = await dialTo(transport('client', dir), port, { ca: 'ca.pem' })
    expect(link.peer.tls?.certificate).to.have.length.above(100)
    await dialTo(transport('client', dir), port, { ca: 'ca.pem', serverName: 'localhost' })
  })

  it('refuses a server for another host', async () => {
    const { port, dir, links } = await serve(
      await issueServer(authority, { keyType: 'ec', commonName: 'server', names: ['example.org'] })
    )
    const byAddress = await refusal(port, { ca: 'ca.pem' }, dir)
    expect(byAddress).to.include({ code: 'tls.wrong-host', side: 'client' })
    const byName = await refusal(port, { ca: 'ca.pem', serverName: 'localhost' }, dir)
    expect(byName).to.include({ code: 'tls.wrong-host', side: 'client' })
    expect(links.every((link) => link.streams === 0)).to.equal(true)
  })

  it('refuses a server whose certificate has expired', async () => {
    const pair = await issueServer(authority, {
      keyType: 'ec',
      commonName: 'server',
      names: ['127.0.0.1'],
      notBefore: ago(9),
      days: 2
    })
    const { port, dir } = await serve(pair)
    expect(await refusal(port, { ca: 'ca.pem' }, dir)).to.include({ code: 'tls.expired', side: 'client' })
  })

  it('refuses a server that signed itself and is not pinned, and one that is not the pinned one', async () => {
    const { port, dir } = await serve(await selfSigned({ keyType: 'ec', commonName: 'alone', names: ['127.0.0.1'] }))
    expect(await refusal(port, {}, dir)).to.include({ code: 'tls.untrusted', side: 'client' })
    expect(await refusal(port, { ca: 'ca.pem' }, dir)).to.include({ code: 'tls.untrusted', side: 'client' })
    const pin = `sha256:${'ab'.repeat(32)}`
    expect(await refusal(port, { fingerprint: pin }, dir)).to.include({ code: 'tls.wrong-fingerprint', side: 'client' })
  })

  it('continues for others after a peer was refused', async () => {
    const { port, dir, links } = await serve(
      await issueServer(authority, { keyType: 'ec', commonName: 's', names: ['127.0.0.1'] })
    )
    await refusal(port, {}, dir)
    await dialTo(transport('client', dir), port, { ca: 'ca.pem' })
    await until(() => links.length === 1, 'the link that was not refused')
  })

  it('cannot be made of a truncated certificate', async () => {
    const pair = await issueServer(authority, { keyType: 'ec', commonName: 'server', names: ['127.0.0.1'] })
    const cut = `${pair.cert.slice(0, 300)}\n-----END CERTIFICATE-----\n`
    const error = await serve({ cert: cut, key: pair.key }).then(
      () => undefined,
      (thrown: unknown) => thrown
    )
    expect(error).to.include({ code: 'tls.files' })
    const dir = folder({ 'cut.pem': cut })
    expect(await refusal(1, { ca: 'cut.pem' }, dir)).to.include({ code: 'tls.files' })
  })

  describe('of clients', () => {
    const required = { clientCa: 'ca.pem', clientCert: 'required' }
    const server = () => issueServer(authority, { keyType: 'ec', commonName: 'server', names: ['127.0.0.1'] })
    const withPair = (pair: { cert: string; key: string }): string =>
      folder({ 'ca.pem': authority.cert, 'own.pem': pair.cert, 'own.key': pair.key })
    const own = { ca: 'ca.pem', cert: 'own.pem', key: 'own.key' }

    it('are shown to the authenticators once they are verified', async () => {
      const { port, links } = await serve(await server(), required)
      const pair = await issueClient(authority, { keyType: 'ec', commonName: 'ann' })
      await dialTo(transport('client', withPair(pair)), port, own)
      await until(() => links.length === 1, 'the link')
      expect(links[0]?.peer.tls?.certificate).to.have.length.above(100)
    })

    it('are requested', async () => {
      const { port, dir, links } = await serve(await server(), required)
      expect(await endOf(port, { ca: 'ca.pem' }, dir)).to.include({ code: 'tls.certificate-required' })
      expect(links).to.have.length(0)
    })

    it('may be left out where they are optional, but not be wrong', async () => {
      const { port, dir, links } = await serve(await server(), { clientCa: 'ca.pem' })
      await dialTo(transport('client', dir), port, { ca: 'ca.pem' })
      await until(() => links.length === 1, 'the link without one')
      expect(links[0]?.peer.tls?.certificate).to.equal(undefined)
      const foreign = await issueClient(await makeAuthority({ keyType: 'ec', commonName: 'remote' }), {
        keyType: 'ec',
        commonName: 'eve'
      })
      expect(await endOf(port, own, withPair(foreign))).to.include({ code: 'tls.untrusted', side: 'server' })
      expect(links).to.have.length(1)
    })

    it('are refused when they have expired', async () => {
      const { port, links } = await serve(await server(), required)
      const pair = await issueClient(authority, { keyType: 'ec', commonName: 'old', notBefore: ago(9), days: 2 })
      expect(await endOf(port, own, withPair(pair))).to.include({ code: 'tls.expired', side: 'server' })
      expect(links).to.have.length(0)
    })

    it('are refused when they are on the list, or when there is no list that counts', async () => {
      const [ann, eve] = [
        await issueClient(authority, { keyType: 'ec', commonName: 'ann' }),
        await issueClient(authority, { keyType: 'ec', commonName: 'eve' })
      ]
      const crl = await revoke(authority, [eve.cert])
      const { port, links } = await serve(await server(), { ...required, crl: 'crl.pem' }, { 'crl.pem': crl })
      await dialTo(transport('client', withPair(ann)), port, own)
      await until(() => links.length === 1, 'the link of who is not on it')
      expect(await endOf(port, own, withPair(eve))).to.include({ code: 'tls.revoked', side: 'server' })
      expect(links).to.have.length(1)
      const remote = await revoke(await makeAuthority({ keyType: 'ec', commonName: 'remote' }), [])
      const other = await serve(await server(), { ...required, crl: 'crl.pem' }, { 'crl.pem': remote })
      expect(await endOf(other.port, own, withPair(ann))).to.include({ code: 'tls.untrusted', side: 'server' })
      expect(other.links).to.have.length(0)
    })
  })
})
