import { issueClient, issueServer, makeAuthority, revoke } from '@rystra/certificates'
import { SharedPorts } from '@rystra/net'
import { isRystraError, type StreamLink, type Transport } from '@rystra/plugin'
import { setUpExtension } from '@rystra/testkit'
import { expect } from 'chai'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import transportHttp2 from '../src/index.js'

const never = new AbortController().signal
const dir = mkdtempSync(path.join(tmpdir(), 'rystra-http2-trust-'))
const later: (() => unknown)[] = []

const http2 = (side: 'server' | 'client'): Transport => {
  const added = setUpExtension(transportHttp2(), side, { dir, stateDir: dir }).registered('transports') as Transport[]
  return added.find(({ name }) => name === 'http2') as Transport
}

const listen = async (fields: Record<string, unknown>): Promise<number> => {
  const at = { transport: 'http2', host: '127.0.0.1', port: 0, ...fields }
  const take = (link: unknown): void => void later.push(() => (link as StreamLink).destroy())
  const listener = await http2('server').listen(at, take, never, new SharedPorts())
  later.push(() => listener.close())
  return listener.address.port
}

/** `linked`, or the code of the error. */
const dial = async (port: number, fields: Record<string, unknown>): Promise<string> => {
  try {
    const link = (await http2('client').dial(
      { transport: 'http2', host: '127.0.0.1', port, ...fields },
      never
    )) as StreamLink
    later.push(() => link.destroy())
    return 'linked'
  } catch (error) {
    if (!isRystraError(error)) throw error
    return error.code
  }
}

describe('HTTP/2 over TLS', () => {
  const cert = (name: string) => ({ cert: `${name}.pem`, key: `${name}.key` })

  before(async () => {
    const keep = (name: string, pair: { cert: string; key: string }): void => {
      writeFileSync(path.join(dir, `${name}.pem`), pair.cert)
      writeFileSync(path.join(dir, `${name}.key`), pair.key)
    }
    const ca = await makeAuthority({ keyType: 'ec', commonName: 'authority' })
    keep('ca', ca)
    keep('good', await issueServer(ca, { keyType: 'ec', commonName: 'server', names: ['127.0.0.1'] }))
    keep('elsewhere', await issueServer(ca, { keyType: 'ec', commonName: 'server', names: ['elsewhere.test'] }))
    const past = { notBefore: new Date(Date.now() - 10 * 86_400_000), days: 5 }
    keep('old', await issueServer(ca, { keyType: 'ec', commonName: 'server', names: ['127.0.0.1'], ...past }))
    keep('client', await issueClient(ca, { keyType: 'ec', commonName: 'client' }))
    const gone = await issueClient(ca, { keyType: 'ec', commonName: 'gone' })
    keep('gone', gone)
    writeFileSync(path.join(dir, 'crl.pem'), await revoke(ca, [gone.cert]))
  })

  after(() => rmSync(dir, { recursive: true, force: true }))

  afterEach(async () => {
    for (const end of later.splice(0).reverse()) await end()
  })

  it('says on the client what is wrong with the server', async () => {
    const ca = { ca: 'ca.pem' }
    expect(await dial(await listen(cert('good')), ca)).to.equal('linked')
    expect(await dial(await listen(cert('elsewhere')), ca)).to.equal('tls.wrong-host')
    expect(await dial(await listen(cert('old')), ca)).to.equal('tls.expired')
    const own = await listen({})
    expect(await dial(own, {})).to.equal('tls.untrusted')
    expect(await dial(own, { fingerprint: 'ab'.repeat(32) })).to.equal('tls.wrong-fingerprint')
  })

  it('tells a client what the server found wrong with it', async () => {
    const port = await listen({ ...cert('good'), clientCa: 'ca.pem', clientCert: 'required', crl: 'crl.pem' })
    const ca = { ca: 'ca.pem' }
    expect(await dial(port, { ...ca, ...cert('client') })).to.equal('linked')
    expect(await dial(port, ca)).to.equal('tls.certificate-required')
    expect(await dial(port, { ...ca, ...cert('gone') })).to.equal('tls.revoked')
  })

  it('answers plain HTTP, and says on the client that a port has no TLS', async () => {
    const port = await listen(cert('good'))
    const socket = net.connect(port, '127.0.0.1').on('error', () => {})
    later.push(() => socket.destroy())
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(String(answer)).to.match(/^HTTP\/1\.1 400 /)
    const plain = net.createServer((socket) => void socket.on('error', () => {}).end('220 smtp.test ESMTP\r\n'))
    await once(plain.listen(0, '127.0.0.1'), 'listening')
    later.push(() => plain.close())
    expect(await dial((plain.address() as net.AddressInfo).port, {})).to.equal('tls.not-tls')
  })
})
