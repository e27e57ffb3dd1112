import { type RystraError, isRystraError } from '@rystra/model'
import type { DialOptions, Link } from '@rystra/plugin'
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { validateWith } from '@rystra/config'
import { presentedBy } from '../certs/presented.js'
import { formatServer } from '../address.js'
import { type Check, fail, type Finding, ok, skip, warn } from './finding.js'
import { noServer, proxyOf } from './proxy-of.js'
import { isDatagram } from './network.js'
import { type Subject, withExtensions } from './subject.js'

/** Milliseconds for a TLS handshake. */
const HANDSHAKE_TIMEOUT_MS = 5000

/** Days before the end of a certificate at which it should have been renewed. */
const RENEW_DAYS = 14

const isTls = (transport: string): boolean => /^(tls|wss|http2)$/.test(transport)

const certificatesOf = (pem: string): X509Certificate[] =>
  (pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? []).map(
    (one) => new X509Certificate(one)
  )

const nameProblem = (leaf: X509Certificate, name: string): boolean =>
  (isIP(name) === 0 ? leaf.checkHost(name) : leaf.checkIP(name)) === undefined

/** What the certificate says by itself; whether it is trusted, the check of the tunnel tells. */
const certificateFindings = (pem: string, name: string, pinned: boolean, now: number): Finding[] => {
  const [leaf, ...others] = certificatesOf(pem)
  if (leaf === undefined) return [fail('tls', 'The server shows no certificate.', 'check what listens at that port')]
  const end = Date.parse(leaf.validTo)
  const days = Math.floor((end - now) / 86_400_000)
  const shown = `certificate for ${leaf.subjectAltName ?? leaf.subject.replaceAll('\n', ', ')}, until ${leaf.validTo}, ${others.length} more in its chain`
  const findings: Finding[] = []
  if (now < Date.parse(leaf.validFrom))
    findings.push(
      fail('tls', `The certificate is not valid before ${leaf.validFrom}.`, 'check the clock of this machine')
    )
  else if (days < 0) findings.push(fail('tls', `The certificate has ended: ${shown}.`, 'renew it at the server'))
  else if (days < RENEW_DAYS)
    findings.push(warn('tls', `The certificate ends in ${days} days: ${shown}.`, 'renew it at the server'))
  if (!pinned && nameProblem(leaf, name))
    findings.push(
      fail(
        'tls',
        `The certificate does not name ${name}: ${shown}.`,
        'dial a name that it has, set serverName, or pin its fingerprint'
      )
    )
  return findings.length > 0 ? findings : [ok('tls', `The ${shown}${pinned ? '; its fingerprint is pinned' : ''}.`)]
}

export const tlsCheck = ({ server, env }: Subject): Check => ({
  name: 'tls',
  async run() {
    if (server === undefined) return [noServer('tls')]
    const { transport, serverName, fingerprint } = server
    if (isDatagram(transport)) return [skip('tls', 'The handshake of QUIC is part of the check of the tunnel.')]
    if (!isTls(transport)) {
      const hint = 'use the transport tls, unless the network between is trusted'
      return [warn('tls', `The transport ${transport} is not encrypted.`, hint)]
    }
    if (proxyOf(server, env) !== undefined)
      return [skip('tls', 'It is dialed through a proxy: see the check of the tunnel.')]
    const wantedName = typeof serverName === 'string' ? serverName : undefined
    const { pem, version } = await presentedBy(server, wantedName, HANDSHAKE_TIMEOUT_MS)
    const found = certificateFindings(pem, wantedName ?? server.host, typeof fingerprint === 'string', Date.now())
    return [ok('tls', `The server speaks ${version}.`), ...found]
  }
})

const close = (link: Link): void => {
  if (link.kind === 'streams') {
    link.destroy()
    return
  }
  link.duplex.on('error', () => {})
  link.duplex.destroy()
}

/** UDP path of QUIC: what fits into one datagram follows from the path. */
const datagramFinding = (link: Link): Finding[] => {
  if (link.kind !== 'streams' || link.datagrams === undefined) return []
  const { maxSize } = link.datagrams
  if (maxSize >= 1100) return [ok('udp-path', `UDP gets through; datagrams of ${maxSize} bytes fit into the path.`)]
  return [
    warn(
      'udp-path',
      `UDP gets through, with datagrams of ${maxSize} bytes only.`,
      'look for a tunnel or a VPN with a small MTU on the way'
    )
  ]
}

/** Dials as the client does: transport, certificate and all. Says nothing on the link. */
export const tunnelCheck = (subject: Subject): Check => ({
  name: 'tunnel',
  async run(signal) {
    const { server, config, path } = subject
    if (server === undefined || config === undefined) return [noServer('tunnel')]
    const origin = path === undefined ? {} : { file: path }
    return withExtensions(subject, 'client', async (registries) => {
      const checked = validateWith(config, registries, 'client', origin)
      const to = checked.client?.connect as DialOptions
      const begun = performance.now()
      try {
        const link = await registries.transports.get(to.transport).dial(to, signal)
        const { tls } = link.peer
        const took = Math.round(performance.now() - begun)
        const secured = tls === undefined ? '' : ` by ${tls.version}, its certificate is trusted`
        const findings = [
          ok('tunnel', `${formatServer(to)} was reached${secured} (${took} ms).`),
          ...datagramFinding(link)
        ]
        close(link)
        return findings
      } catch (error) {
        if (!isRystraError(error)) throw error
        return [unreached(to, error)]
      }
    })
  }
})

const unreached = (to: DialOptions, { message, hint }: RystraError): Finding => {
  const udp = isDatagram(to.transport) ? `; let UDP port ${to.port} through, or use another transport` : ''
  return fail('tunnel', `${formatServer(to)} was not reached: ${message}.`, `${hint}${udp}`)
}
