import type { RystraError } from '@rystra/plugin'
import { expect } from 'chai'
import { X509Certificate } from 'node:crypto'
import type tls from 'node:tls'
import { exchange, HandshakeWorld, readAll } from './handshake-world.js'
import { type Certificates, certificates, until } from './world.js'

describe('a server of TLS that checks certificates of clients', () => {
  let made: Certificates
  let world: HandshakeWorld

  before(async () => {
    made = await certificates()
  })

  beforeEach(() => {
    world = new HandshakeWorld()
    world.write('ca.pem', made.ca.cert)
  })

  afterEach(() => world.end())

  const requested = async (clientCert: 'optional' | 'required', crl?: string) => {
    const refusals: RystraError[] = []
    const options = { ...world.pair('server', made.good), clientCa: 'ca.pem', clientCert }
    const served = await world.serve(crl === undefined ? options : { ...options, crl: world.write('crl.pem', crl) }, {
      onRefused: (socket, error) => {
        refusals.push(error)
        socket.end(error.code)
      }
    })
    return { ...served, refusals }
  }
  const cases: [string, 'client' | 'revokedClient' | 'expiredClient' | 'strange' | undefined, string][] = [
    ['none', undefined, 'tls.certificate-required'],
    ['one of another authority', 'strange', 'tls.untrusted'],
    ['one that has expired', 'expiredClient', 'tls.expired'],
    ['one that was revoked', 'revokedClient', 'tls.revoked']
  ]
  for (const [what, which, code] of cases) {
    it(`requires a valid one, and reports that to a peer with ${what}`, async () => {
      const { port, came, refusals } = await requested('required', made.crl)
      const own = which === undefined ? {} : world.pair('client', made[which])
      const socket = await world.dial(port, { ca: 'ca.pem', ...own })
      expect(await readAll(socket)).to.equal(code)
      expect(refusals.map((error) => [error.code, error.side])).to.deep.equal([[code, 'server']])
      expect(came).to.deep.equal([])
      // What it was given is no way in the next time.
      expect(await readAll(await world.dial(port, { ca: 'ca.pem', ...own }))).to.equal(code)
      const warnings = () => world.lines.filter(({ level, text }) => level === 'warn' && text.startsWith('server: '))
      expect(warnings(), 'one warning for both').to.have.length(1)
      world.clock.advance(60_000)
      await readAll(await world.dial(port, { ca: 'ca.pem', ...own }))
      expect(warnings()).to.have.length(2)
      expect(warnings()[1]?.fields).to.include({ more: 1, code })
    })
  }

  it('reports a valid one, which is requested in each handshake', async () => {
    const { port, came } = await requested('required', made.crl)
    const own = world.pair('client', made.client)
    for (let count = 0; count < 2; count += 1) {
      const client = await world.dial(port, { ca: 'ca.pem', ...own })
      await until(() => came.length > count)
      await exchange(client, came[count]?.socket as tls.TLSSocket)
      expect(client.isSessionReused()).to.equal(false)
    }
    const der = new Uint8Array(new X509Certificate(made.client.cert).raw)
    for (const { facts } of came) expect(facts.certificate).to.deep.equal(der)
  })

  it('accepts clients without a valid one when it is optional, and reports valid ones only', async () => {
    const { port, came } = await requested('optional')
    const all = [{}, world.pair('strange', made.strange), world.pair('client', made.client)]
    for (const [index, own] of all.entries()) {
      await world.dial(port, { ca: 'ca.pem', ...own })
      await until(() => came.length > index)
    }
    expect(came.map(({ facts }) => facts.certificate !== undefined)).to.deep.equal([false, false, true])
    expect(world.warnings()).to.have.length(1)
  })

  it('refuses a certificate that is revoked in a reloaded list', async () => {
    const { port, came, refusals } = await requested('required', made.emptyCrl)
    const own = world.pair('client', made.revokedClient)
    const before = await world.dial(port, { ca: 'ca.pem', ...own })
    await until(() => came.length === 1)
    world.write('crl.pem', made.crl)
    world.clock.advance(5000)
    await until(() => world.lines.some(({ text }) => text === 'certificate files reloaded'))
    expect(await readAll(await world.dial(port, { ca: 'ca.pem', ...own }))).to.equal('tls.revoked')
    expect(refusals).to.have.length(1)
    await exchange(before, came[0]?.socket as tls.TLSSocket)
  })
})
