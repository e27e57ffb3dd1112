import { dialTcp } from '@rystra/net'
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { formatAddress, formatServer } from '../address.js'
import { type Check, fail, type Finding, ok, skip, warn } from './finding.js'
import { noServer, proxyOf } from './proxy-of.js'
import type { Subject } from './subject.js'

/** Transports over UDP. */
export const isDatagram = (transport: string): boolean => transport === 'quic'

export const dnsCheck = ({ server }: Subject): Check => ({
  name: 'dns',
  async run() {
    if (server === undefined) return [noServer('dns')]
    const { host } = server
    if (isIP(host) !== 0) return [skip('dns', `${host} is an address.`)]
    const begun = performance.now()
    try {
      const addresses = [...new Set((await lookup(host, { all: true })).map(({ address }) => address))]
      const took = Math.round(performance.now() - begun)
      const text = `${host} has the address ${addresses.slice(0, 4).join(', ')} (${took} ms).`
      return took > 2000
        ? [warn('dns', text, 'a resolver that is this slow delays each reconnect: see /etc/resolv.conf')]
        : [ok('dns', text)]
    } catch (error) {
      const { code = 'failed' } = error as NodeJS.ErrnoException
      return [
        fail(
          'dns',
          `${host} has no address: ${code}.`,
          'check the name in client.connect, and the resolver of this machine'
        )
      ]
    }
  }
})

/** Proxies that the environment or the configuration names, without their credentials. */
export const environmentCheck = ({ server, env }: Subject): Check => ({
  name: 'environment',
  async run() {
    const names = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'].flatMap((name) => [name.toLowerCase(), name])
    const set = names.filter((name) => (env[name] ?? '') !== '')
    const shown =
      set.length === 0 ? 'no variable names a proxy' : `${set.join(', ')} ${set.length === 1 ? 'is' : 'are'} set`
    if (server === undefined) return [skip('environment', `There is no server to dial; ${shown}.`)]
    const proxy = proxyOf(server, env)
    if (isDatagram(server.transport)) {
      if (proxy === undefined) return [ok('environment', `QUIC is dialed directly; ${shown}.`)]
      const hint = 'where UDP does not get out, use the transport wss, which goes through the proxy'
      return [warn('environment', `QUIC does not go through the proxy ${proxy.name}; ${shown}.`, hint)]
    }
    if (proxy !== undefined)
      return [ok('environment', `${formatServer(server)} is dialed through the proxy ${proxy.name}; ${shown}.`)]
    return [ok('environment', `${formatServer(server)} is dialed directly; ${shown}.`)]
  }
})

export const portCheck = ({ server, env }: Subject): Check => ({
  name: 'port',
  async run(signal) {
    if (server === undefined) return [noServer('port')]
    const { transport, host, port } = server
    const where = formatAddress(server)
    if (isDatagram(transport)) return [skip('port', `${where} is a port of UDP: see the check of the tunnel.`)]
    const begun = performance.now()
    const proxy = proxyOf(server, env)
    const configured = server['proxy']
    const options = { host, port, ...(typeof configured === 'string' ? { proxy: configured } : {}) }
    const socket = await dialTcp(options, signal, { env })
    socket.on('error', () => {})
    socket.destroy()
    const took = Math.round(performance.now() - begun)
    return [
      ok('port', `${where} accepts connections${proxy === undefined ? '' : ` through ${proxy.name}`} (${took} ms).`)
    ] as Finding[]
  }
})
