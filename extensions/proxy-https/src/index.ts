import { asciiHostPattern, visitorOf } from '@rystra/address'
import { claimedHosts, type HostKind, hostKind, httpChallenge } from '@rystra/net'
import { defineExtension, GUARD, type Listener, OBSERVE, RystraError, type TlsFacts } from '@rystra/plugin'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { acceptorOptions, Certificates } from './certificates.js'
import { complete } from './expand.js'
import { Front } from './front.js'
import { HttpsOptions } from './options.js'
import { placeOf } from './place.js'
import { Policy } from './policy.js'
import { ProvidedCertificates } from './provided.js'
import { publish, type World } from './publish.js'
import { Redirect, strictTransport } from './redirect.js'
import { HttpsSpec } from './spec.js'

/** Services by name on one TLS port: passed through untouched, or, where a certificate is here, terminated and handed to the kind http. */
export default defineExtension({
  name: 'proxy-https',
  options: HttpsOptions,
  requires: ({ certificates }) => (certificates.length > 0 ? ['kind:http'] : []),
  setup({ hooks, registries, options, role, ports, ...host }) {
    const { log } = host
    const place = placeOf(ports)
    const { routes } = place
    const closing = new AbortController()
    let listeners: Listener[] = []
    let world: World | undefined
    /** Of the generation before this one; it serves again when this start fails. */
    let before: Front | undefined

    const https: HostKind<HttpsSpec> = {
      kind: 'https',
      spec: HttpsSpec,
      localFields: ['local'],
      expand: (spec) => [complete(spec)],
      async publish(spec, to) {
        if (world === undefined) {
          throw new RystraError('kernel.state', { side: 'server', detail: 'proxy-https is not started' })
        }
        return publish(spec, to, world)
      },
      checkHost: (name, identity) => routes.check(name, identity),
      hosts: () => routes.hosts(),
      routes: () => routes.routes(),
      secures: (name) => routes.exact(name) !== undefined || world?.certificates.names(name) === true,
      async reach(spec, to) {
        await to.relay(await to.connect(String(spec.local)))
      }
    }
    if (role === 'client') {
      registries.proxies.add(https)
      return undefined
    }
    check(options)

    const front = new Front({
      ...host,
      ...options,
      registries,
      routes,
      ports,
      defaultHost: options.defaultHost?.toLowerCase()
    })
    registries.proxies.add({
      ...https,
      routing: {
        listeners: () =>
          listeners.flatMap(({ address }) => (address === undefined ? [] : { ...address, scheme: 'https' })),
        find: (name) => (front.terminates(name) ? undefined : routes.locate(name, '/')),
        handsOver: (name) => (front.terminates(name) ? 'http' : undefined),
        claimed: (spec) => ({ hosts: claimedHosts(spec as HttpsSpec, options.baseDomain), path: '/' })
      }
    })
    const port = (): string => {
      const number = options.publicPort ?? listeners[0]?.address?.port
      return number === undefined || number === 443 ? '' : `:${number}`
    }
    const redirect = new Redirect({
      serves: (name) => front.serves(name) && !front.isProvisional(name),
      challenge: (name, path) => httpChallenge(registries, name, path),
      port
    })
    const plain = redirect.listen(options.redirectFrom, ports)
    // Before a password is asked for, and before an answer tells which proxies exist.
    if (options.redirect) hooks.onRequest.tap({ stage: GUARD }, redirect.answer)
    if (options.hsts !== undefined) {
      hooks.onResponse.tap(
        { stage: OBSERVE },
        strictTransport(
          options.hsts,
          (name) => world?.certificates.names(name) === true || world?.provided.has(name) === true
        )
      )
    }

    const onSecure = (socket: TLSSocket, { alpn, serverName }: TlsFacts, tcp: Socket): void => {
      socket.on('error', () => {})
      const http = hostKind(registries, 'http')
      if (!front.admit(tcp) || http?.handOver === undefined) {
        socket.destroy()
        return
      }
      http.handOver(socket, {
        visitor: visitorOf(tcp),
        secure: true,
        ...(serverName === undefined ? {} : { serverName: serverName.toLowerCase().replace(/\.$/, '') }),
        ...(alpn === undefined ? {} : { alpn })
      })
    }

    return {
      listens: [...options.listen, ...options.redirectFrom],
      async start() {
        if (options.certificates.length > 0 && hostKind(registries, 'http')?.handOver === undefined) {
          throw new RystraError('extension.requires', {
            side: 'server',
            detail: 'proxy-https: the kind http that is loaded takes no connections of other kinds'
          })
        }
        const acceptors = acceptorOptions(options, host, onSecure)
        const certificates = await Certificates.open(options, host, acceptors)
        closing.signal.addEventListener('abort', () => certificates.close(), { once: true })
        const provided = new ProvidedCertificates(registries, options.minVersion, acceptors, log)
        closing.signal.addEventListener('abort', () => provided.close(), { once: true })
        await provided.open(host)
        front.use(certificates, provided)
        const { baseDomain } = options
        const checkOtherKind = (name: string, identity: string): void =>
          hostKind(registries, 'http')?.checkHost(name, identity)
        const policy = new Policy(options)
        world = { routes, policy, certificates, provided, baseDomain: baseDomain.toLowerCase(), port, checkOtherKind }
        for (const address of options.listen) {
          const recognises = (head: Buffer): boolean | undefined => front.recognises(head)
          const onSocket = (socket: Socket): void => front.take(socket)
          listeners.push(await ports.listenTcp({ ...address, recognises, onSocket }, closing.signal))
        }
        await plain.start()
        before = place.front
        place.front = front
        for (const { address } of listeners) log.info({ address }, 'visitors of https are taken')
      },
      async stop() {
        const replaced = place.front !== undefined && place.front !== front
        if (place.front === front) place.front = before
        // Kept on, each generation would keep all those before it.
        before = undefined
        await Promise.all(listeners.map((listener) => listener.close()))
        listeners = []
        await plain.stop()
        // Visitors whose handshake is under way are served by the generation that they came to.
        if (replaced) front.whenIdle(() => closing.abort())
        else {
          closing.abort()
          front.close()
        }
      }
    }
  }
})

/** What a schema cannot say. Throws `extension.options`. */
const check = ({ certificates }: HttpsOptions): void => {
  const seen = new Set<string>()
  for (const { cert, key, hosts } of certificates) {
    const name = cert ?? key ?? hosts?.join(', ') ?? 'without anything'
    const refuse = (detail: string): never => {
      throw new RystraError('extension.options', { side: 'server', detail: `/certificates (${name}): ${detail}` })
    }
    if ((cert === undefined) !== (key === undefined)) refuse('`cert` and `key` come together')
    if (cert === undefined && hosts === undefined) refuse('either `cert` and `key` or `hosts` is needed')
    for (const written of hosts ?? []) {
      const ascii = asciiHostPattern(written)
      if (ascii === undefined) refuse(`"${written}" is no host`)
      else if (seen.has(ascii)) refuse(`${ascii} has two certificates`)
      else seen.add(ascii)
    }
  }
}

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/proxy-https': Partial<HttpsOptions>
  }
}
