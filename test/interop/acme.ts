/**
 * Certificates from Debian's `pebble`, an authority for tests, by both challenges. Not part of `npm test`; says
 * aloud when there is no `pebble`.
 *
 *     npm run interop:acme          # needs a build
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import tls from 'node:tls'
import { issueServer, makeAuthority } from '@rystra/certificates'
import { freePort, loopback } from '../bench/address.js'
import { which } from '../bench/peer.js'
import { Scratch } from '../bench/scratch.js'

const cli = path.resolve(import.meta.dirname, '../../cli/bin/run.js')
const DEADLINE_MS = 60_000
const token = 'interop-token-3f9c1d7e5b2a48'

/** Calls until there is an answer. */
const untilFound = async <T>(find: () => Promise<T | undefined>, what: string): Promise<T> => {
  const end = Date.now() + DEADLINE_MS
  for (;;) {
    const found = await find().catch(() => undefined)
    if (found !== undefined) return found
    if (Date.now() > end) throw new Error(`${what}: not within ${DEADLINE_MS / 1000} s`)
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}

/** The issuer and the serial number of the certificate that visitors of a host get. */
const shownOn = (port: number, servername: string): Promise<{ issuer: string; serial: string } | undefined> =>
  new Promise((resolve) => {
    const socket = tls.connect({ host: loopback, port, servername, rejectUnauthorized: false }, () => {
      const { issuer, serialNumber } = socket.getPeerCertificate()
      socket.destroy()
      resolve({ issuer: String(issuer.CN), serial: serialNumber })
    })
    socket.on('error', () => resolve(undefined))
  })

const main = async (): Promise<void> => {
  if (which('pebble') === undefined || which('pebble-challtestsrv') === undefined) {
    console.log('SKIPPED: no pebble here (apt-get install pebble)')
    return
  }
  const scratch = new Scratch()
  const web = createServer((_request, response) => response.end('the service')).listen(0, loopback)
  try {
    const [tunnel, http, https, directory, management, dns, dnsManagement] = (await Promise.all(
      Array.from({ length: 7 }, () => freePort())
    )) as [number, number, number, number, number, number, number]
    const authority = await makeAuthority({ commonName: 'interop' })
    const own = await issueServer(authority, { commonName: 'localhost', names: ['localhost', loopback] })
    scratch.write('ca.crt', authority.cert)
    const pebble = {
      listenAddress: `${loopback}:${directory}`,
      managementListenAddress: `${loopback}:${management}`,
      certificate: scratch.write('pebble.crt', own.cert),
      privateKey: scratch.write('pebble.key', own.key),
      httpPort: http,
      tlsPort: https,
      ocspResponderURL: '',
      externalAccountBindingRequired: false
    }
    scratch.write('pebble.json', JSON.stringify({ pebble }))
    scratch.start('pebble-challtestsrv', [
      ...['-dns01', `${loopback}:${dns}`, '-management', `${loopback}:${dnsManagement}`],
      ...['-defaultIPv4', loopback, '-defaultIPv6', '', '-http01', '', '-https01', '', '-tlsalpn01', '']
    ])
    // One nonce in five is refused.
    const pebbleEnv = { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '20' }
    scratch.start('pebble', ['-config', 'pebble.json', '-dnsserver', `${loopback}:${dns}`], {
      cwd: scratch.dir,
      env: pebbleEnv
    })

    const env = { ...process.env, RYSTRA_STATE: path.join(scratch.dir, 'state') }
    const auth = { use: '@rystra/auth-token', options: { token } }
    const kinds = [
      { use: '@rystra/proxy-http', options: { listen: [{ host: loopback, port: http }] } },
      { use: '@rystra/proxy-https', options: { listen: [{ host: loopback, port: https }] } }
    ]
    const serve = (challenge: string): string => {
      const acme = {
        use: '@rystra/acme',
        options: {
          hosts: ['*.rystra.test'],
          termsOfServiceAgreed: true,
          email: 'admin@rystra.test',
          directory: `https://localhost:${directory}/dir`,
          ca: 'ca.crt',
          challenges: [challenge]
        }
      }
      const server = { listen: [{ host: loopback, port: tunnel }] }
      return scratch.write('server.json', JSON.stringify({ extensions: [auth, ...kinds, acme], server }))
    }
    const local = (web.address() as AddressInfo).port
    const proxies = ['http-01.rystra.test', 'tls-alpn-01.rystra.test'].map((host, index) => ({
      name: `web${index}`,
      kind: 'http',
      local,
      host
    }))
    const connect = (hosts: typeof proxies): string =>
      scratch.write(
        'client.json',
        JSON.stringify({
          extensions: [auth, ...kinds.slice(0, 1)],
          client: { connect: { host: loopback, port: tunnel }, proxies: hosts }
        })
      )
    const start = (command: string, file: string) =>
      scratch.start(process.execPath, [cli, command, '--config', file, '--json'], { cwd: scratch.dir, env })

    for (const [index, challenge] of ['http-01', 'tls-alpn-01'].entries()) {
      const host = `${challenge}.rystra.test`
      const server = start('serve', serve(challenge))
      const client = start('connect', connect(proxies.slice(index, index + 1)))
      try {
        const { issuer } = await untilFound(async () => {
          const shown = await shownOn(https, host)
          return shown?.issuer.startsWith('Pebble') === true ? shown : undefined
        }, `a certificate by ${challenge}; ${server.said()}`)
        console.log(`ok  ${challenge}: ${host} has a certificate of ${issuer}`)
      } catch (error) {
        console.error(server.said())
        throw error
      }
      await scratch.end(client.child)
      await scratch.end(server.child)
    }
    const server = start('serve', serve('http-01'))
    const client = start('connect', connect(proxies))
    const [before] = await Promise.all(
      proxies.map(({ host }) =>
        untilFound(() => shownOn(https, host).then((shown) => shown), `the certificate of ${host}`)
      )
    )
    if (before?.issuer.startsWith('Pebble') !== true) throw new Error(`not there after a restart: ${server.said()}`)
    console.log('ok  the certificate is there again after a restart')
    await scratch.end(client.child)
    await scratch.end(server.child)
  } finally {
    web.close()
    await scratch.close()
  }
}

await main()
