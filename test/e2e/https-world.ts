import { issueServer, type KeyPair, makeAuthority } from '@rystra/certificates'
import type { Client } from '@rystra/client'
import type { ProxyEntry, RystraConfig } from '@rystra/config'
import proxyHttp from '@rystra/proxy-http'
import proxyHttps from '@rystra/proxy-https'
import type { Server, ServerOptions } from '@rystra/server'
import transportTls from '@rystra/transport-tls'
import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type tls from 'node:tls'
import { answered, type Asking, mirror, startHttpService } from './http-world.js'
import { cleanUp, later, portOf, preset as plain, startClient, startServer } from './tunnel.js'

export const preset = [...plain, proxyHttp, proxyHttps, transportTls]
export const free = [{ host: '127.0.0.1', port: 0 }]

export let ca: KeyPair
export let here: KeyPair
export let renewed: KeyPair
export let there: KeyPair
export let dir: string

export const write = ({ cert, key }: KeyPair): { cert: string; key: string } => {
  writeFileSync(path.join(dir, 'here.crt'), cert)
  writeFileSync(path.join(dir, 'here.key'), key)
  return { cert: 'here.crt', key: 'here.key' }
}

export const extensions = (options: Record<string, unknown>): NonNullable<RystraConfig['extensions']> => [
  proxyHttp({ listen: free }),
  proxyHttps({ listen: free, ...options })
]

export const serve = (options: Record<string, unknown> = {}, more: Partial<ServerOptions> = {}): Promise<Server> =>
  startServer({}, extensions(options), { preset, dir, ...more })

export const join = (
  server: Server,
  proxies: readonly ProxyEntry[],
  client: Parameters<typeof startClient>[2] = {}
): Promise<Client> => startClient(portOf(server), proxies, client, [], { preset })

export const addressOf = (client: Client, name: string): URL =>
  new URL(client.proxies.find((one) => one.name === name)?.address ?? 'none:')

/** A service that speaks TLS itself. */
export const startOwn = async (name: string): Promise<number> => {
  const server = https.createServer({ ...there }, (request, response) => {
    const hash = createHash('sha256')
    request.on('data', (chunk: Buffer) => hash.update(chunk))
    request.on('end', () => response.end(`${name} ${hash.digest('hex')}`))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  later(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

export interface Seen {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly body: string
  readonly serial: string
}

/** Asks by https, for `host` with the same name in the ClientHello unless that is given. */
export const askTls = (
  port: number,
  host: string,
  { body, ...options }: https.RequestOptions & Asking = {}
): Promise<Seen> =>
  new Promise((resolve, reject) => {
    const request = https.request(
      { host: '127.0.0.1', port, servername: host, ca: ca.cert, agent: false, ...options, headers: { host } },
      (response) => {
        const { serialNumber: serial } = (response.socket as tls.TLSSocket).getPeerCertificate()
        answered(response).then(
          ({ status, headers, body: text }) => resolve({ status, headers, body: text, serial }),
          reject
        )
      }
    )
    request.on('error', reject)
    request.end(body)
  })

export const failureOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    ({ code, message }: NodeJS.ErrnoException) => (code === undefined || code === 'EPROTO' ? message : code)
  )

export const serialIn = ({ cert }: KeyPair): string => new X509Certificate(cert).serialNumber

export const own = (local: number | string, more: Record<string, unknown> = {}) => ({
  name: 'own',
  kind: 'https',
  local,
  host: ['own.example.org', '*.own.example.org'],
  ...more
})

export const startMirror = async (): Promise<number> => (await startHttpService((...args) => void mirror(...args))).port

let made: Promise<void> | undefined

const makeCertificates = async (): Promise<void> => {
  ca = await makeAuthority({ keyType: 'ec', commonName: 'tests' })
  const names = ['app.example.org', '*.apps.example.org']
  ;[here, renewed, there] = await Promise.all([
    issueServer(ca, { keyType: 'ec', commonName: 'app.example.org', names }),
    issueServer(ca, { keyType: 'ec', commonName: 'app.example.org', names }),
    issueServer(ca, { keyType: 'ec', commonName: 'own.example.org', names: ['own.example.org', '*.own.example.org'] })
  ])
}

/** Certificates and a folder for the tests of a group. */
export const fixture = (): void => {
  before(async () => {
    // Keys take long to make: once for all files in this process.
    made ??= makeCertificates()
    await made
  })
  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), 'rystra-https-'))
  })
  afterEach(async () => {
    await cleanUp()
    rmSync(dir, { recursive: true, force: true })
  })
}
