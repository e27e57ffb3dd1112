import acme from '@rystra/acme'
import type { Client } from '@rystra/client'
import type { ProxyEntry } from '@rystra/config'
import type { CertificateInfo, RuntimeEvent } from '@rystra/plugin'
import proxyHttp from '@rystra/proxy-http'
import proxyHttps from '@rystra/proxy-https'
import type { Server } from '@rystra/server'
import { expect } from 'chai'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Duplex } from 'node:stream'
import tls from 'node:tls'
import { AcmeServer } from '../../extensions/acme/test/acme-server.js'
import { ask, startHttpService } from './http-world.js'
import { cleanUp, later, portOf, preset as plain, serverConfig, startClient, startServer, until } from './tunnel.js'

const preset = [...plain, proxyHttp, proxyHttps]
const free = [{ host: '127.0.0.1', port: 0 }]

let authority: AcmeServer
let dir: string
let service: number

/** The subject that visitors of a host are shown, and what ALPN chose. */
const handshake = async (port: number, servername: string, alpn = ['http/1.1']) => {
  const socket = tls.connect({ host: '127.0.0.1', port, servername, ALPNProtocols: alpn, rejectUnauthorized: false })
  later(() => socket.destroy())
  await once(socket, 'secureConnect')
  const { subjectaltname = '', serialNumber, issuer } = socket.getPeerCertificate()
  socket.destroy()
  return { names: subjectaltname, serial: serialNumber, issuer: issuer.CN }
}

/** The ClientHello for a host. */
const helloOf = (servername: string): Promise<Buffer> =>
  new Promise((resolve) => {
    const wire = new Duplex({ read() {}, write: (chunk: Buffer) => resolve(chunk) })
    tls.connect({ socket: wire, servername }).on('error', () => {})
  })

const extensionsOf = (options: Record<string, unknown>, https: Record<string, unknown> = {}) => [
  proxyHttp({ listen: free }),
  proxyHttps({ listen: free, ...https }),
  acme({
    hosts: ['*.example.org'],
    termsOfServiceAgreed: true,
    directory: authority.directory,
    ca: 'ca.crt',
    ...options
  })
]

const serve = (options: Record<string, unknown> = {}, https: Record<string, unknown> = {}): Promise<Server> =>
  startServer({}, extensionsOf(options, https), { preset, dir, stateDir: path.join(dir, 'state') })

/** A client with these hosts; `vault` passes through, and shows where https is. */
const publish = async (
  server: Server,
  hosts: readonly string[]
): Promise<Client & { ports: { http: number; tls: number } }> => {
  const proxies: ProxyEntry[] = [
    ...hosts.map((host, index) => ({ name: `web${index}`, kind: 'http', local: service, host })),
    { name: 'vault', kind: 'https', local: service, host: 'vault.example.org' }
  ]
  const client = await startClient(portOf(server), proxies, {}, [], { preset })
  const port = (name: string) => Number(new URL(client.proxies.find((one) => one.name === name)?.address ?? '').port)
  const ports = { http: port('web0'), tls: port('vault') }
  authority.ports = Promise.resolve(ports)
  return Object.assign(client, { ports })
}

const infoOf = (server: Server, host: string): CertificateInfo | undefined =>
  [...server.runtime.certificates()].find((one) => one.host === host)

const issued = (server: Server, host: string): Promise<unknown> =>
  until(() => {
    const { state, error } = infoOf(server, host) ?? {}
    if (error !== undefined) throw new Error(error.message)
    return state === 'valid'
  }, `a certificate for ${host}`)

describe('certificates from an authority', () => {
  beforeEach(async () => {
    dir = mkdtempSync(path.join(tmpdir(), 'rystra-acme-'))
    authority = new AcmeServer()
    await authority.start()
    writeFileSync(path.join(dir, 'ca.crt'), authority.ca)
    service = (await startHttpService((_request, response) => response.end('the service'))).port
  })
  afterEach(async () => {
    await cleanUp()
    authority.close()
    rmSync(dir, { recursive: true, force: true })
  })

  it('are ordered for published hosts, served, reported, and kept readable by their owner alone', async () => {
    const server = await serve()
    const events: RuntimeEvent[] = []
    server.runtime.events.subscribe((event) => events.push(event))
    const client = await publish(server, ['app.example.org'])
    await issued(server, 'app.example.org')
    const { names, issuer } = await handshake(client.ports.tls, 'app.example.org')
    expect({ names, issuer }).to.deep.equal({ names: 'DNS:app.example.org', issuer: 'test issuer' })
    const event = events.find(({ type }) => type === 'certificate.issued')
    expect(event).to.include({ host: 'app.example.org', source: 'acme', renewed: false })
    expect(authority.orders.map(({ host }) => host)).to.deep.equal(['app.example.org'])
    const folder = path.join(dir, 'state/extensions/acme')
    await until(() => readdirSync(folder).some((name) => name.startsWith('certificate-')), 'the file')
    for (const name of readdirSync(folder)) expect(statSync(path.join(folder, name)).mode & 0o077, name).to.equal(0)
  })

  it('are there again after a restart, without another order', async () => {
    const server = await serve()
    await publish(server, ['app.example.org'])
    await issued(server, 'app.example.org')
    const folder = path.join(dir, 'state/extensions/acme')
    await until(() => readdirSync(folder).some((name) => name.startsWith('certificate-')), 'the file')
    await cleanUp()
    service = (await startHttpService((_request, response) => response.end('the service'))).port
    const again = await serve()
    await publish(again, ['app.example.org'])
    await issued(again, 'app.example.org')
    expect(authority.orders).to.have.length(1)
    expect(authority.accounts.size).to.equal(1)
  })

  it('are verified by TLS-ALPN-01 on the port of https', async () => {
    const server = await serve({ challenges: ['tls-alpn-01'] })
    const client = await publish(server, ['app.example.org'])
    await issued(server, 'app.example.org')
    expect(authority.orders[0]?.challenges.map(({ type, status }) => `${type} ${status}`)).to.deep.equal([
      'http-01 pending',
      'tls-alpn-01 valid'
    ])
    expect((await handshake(client.ports.tls, 'app.example.org')).issuer).to.equal('test issuer')
  })

  it('are verified on a port that only redirects to https', async () => {
    const server = await serve({}, { redirectFrom: free })
    const client = await publish(server, ['app.example.org'])
    await issued(server, 'app.example.org')
    const path = '/.well-known/acme-challenge/unknown'
    expect((await ask(client.ports.http, 'app.example.org', path)).body).to.equal('the service')
  })

  it('are in place of the self-signed one, which visitors get until then', async () => {
    const server = await serve()
    let release = (): void => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const client = await publish(server, ['app.example.org'])
    const ports = await authority.ports
    authority.ports = held.then(() => ports)
    await until(() => authority.orders.length > 0, 'an order')
    expect((await handshake(client.ports.tls, 'app.example.org')).issuer).to.equal('rystra')
    release()
    await issued(server, 'app.example.org')
    expect((await handshake(client.ports.tls, 'app.example.org')).issuer).to.equal('test issuer')
  })

  it('are not ordered for hosts of visitors, of other patterns, of wildcards, and of services with their own TLS', async () => {
    const server = await serve({ order: 'visited' })
    const client = await publish(server, ['app.example.org', 'app.example.net', '*.wild.example.org', '127.0.0.1'])
    await until(() => infoOf(server, '*.wild.example.org') !== undefined, 'the list')
    const hello = (await helloOf('0000.example.org')).toString('latin1')
    const rejected = async (index: number): Promise<string> => {
      const socket = net.connect(client.ports.tls, '127.0.0.1')
      const name = `${String(index).padStart(4, '0')}.example.org`
      socket.write(hello.replace('0000.example.org', name), 'latin1')
      const [alert] = (await once(socket, 'data')) as [Buffer]
      socket.destroy()
      return alert.toString('hex')
    }
    const unrecognizedName = '15030300020270'
    for (let round = 0; round < 10; round += 1) {
      const alerts = await Promise.all(Array.from({ length: 100 }, (_, at) => rejected(round * 100 + at)))
      expect(new Set(alerts)).to.deep.equal(new Set([unrecognizedName]))
    }
    expect(infoOf(server, '*.wild.example.org')?.error?.code).to.equal('acme.wildcard')
    expect([...server.runtime.certificates()].map(({ host }) => host).sort()).to.deep.equal([
      '*.wild.example.org',
      'app.example.org'
    ])
    expect(authority.orders).to.deep.equal([])
    await handshake(client.ports.tls, 'app.example.org')
    await issued(server, 'app.example.org')
    expect(authority.orders.map(({ host }) => host)).to.deep.equal(['app.example.org'])
  })

  it('stay over a reload that changes the options, and the successor renews them', async () => {
    const server = await serve()
    const client = await publish(server, ['app.example.org'])
    await issued(server, 'app.example.org')
    const before = await handshake(client.ports.tls, 'app.example.org')
    await server.reload(serverConfig({}, extensionsOf({ hosts: ['app.example.org'], email: 'admin@example.org' })))
    expect((await handshake(client.ports.tls, 'app.example.org')).serial).to.equal(before.serial)
    expect(infoOf(server, 'app.example.org')?.state).to.equal('valid')
    expect(authority.orders).to.have.length(1)
  })

  it('are not ordered while the state folder cannot be written', async () => {
    mkdirSync(path.join(dir, 'state/extensions'), { recursive: true })
    writeFileSync(path.join(dir, 'state/extensions/acme'), 'a file where the folder should be')
    const server = await serve()
    await publish(server, ['app.example.org'])
    await until(() => infoOf(server, 'app.example.org')?.state === 'failed', 'a failure')
    expect(infoOf(server, 'app.example.org')?.error?.code).to.equal('extension.state')
    expect(authority.requests).to.deep.equal([])
  })
})
