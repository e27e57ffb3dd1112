import { makeAuthority, issueServer, selfSigned } from '@rystra/certificates'
import { defineExtension, isRystraError, silentLog } from '@rystra/plugin'
import { once } from 'node:events'
import type net from 'node:net'
import tls from 'node:tls'
import { AcmeAuthority } from '../../extensions/acme/src/acme-authority.js'
import { Challenges } from '../../extensions/acme/src/challenges.js'
import { OrderFailure } from '../../extensions/acme/src/failure.js'
import { Store } from '../../extensions/acme/src/store.js'
import { Files } from '../../extensions/acme/test/world.js'
import { wallClock } from '../../extensions/discovery-mdns/test/clock.js'
import { Hostile, host, listened, secured } from './connections.js'
import type { Face } from './face.js'
import { acmeAnswers, challengeRequests, tlsMessages } from './messages.js'

/** Host whose order is in progress for as long as the world is open. */
const ORDERED = 'ordered.localhost'
const PROTOCOL = 'acme-tls/1'
const ORDER_TIMEOUT_MS = 3000

/** A host whose certificate is ordered, and the authority, whose answers are hostile. */
export class ChallengeWorld {
  readonly #challenges = new Challenges()
  readonly #authority = new Hostile()

  /** The extension of the server: it answers both challenges of {@link ORDERED}. */
  async extension() {
    const certificate = await selfSigned({ commonName: ORDERED, names: [ORDERED], keyType: 'ec' })
    this.#challenges.addHttp(ORDERED, 'token', 'token.thumbprint')
    this.#challenges.addTls(ORDERED, certificate)
    const challenges = this.#challenges
    return defineExtension({
      name: 'ordered',
      setup: ({ registries }) =>
        void registries.certificateSources.add({
          name: 'ordered',
          serves: (name) => name === ORDERED,
          certificate: () => undefined,
          httpChallenge: (name, token) => challenges.http(name, token),
          tlsChallenge: (name) => challenges.tls(name),
          list: () => []
        })
    })()
  }

  /** Faces at the ports of HTTP and HTTPS, and that of a server to its authority. */
  async faces(http: () => Promise<net.Socket>, https: () => Promise<net.Socket>, httpsPort: number): Promise<Face[]> {
    return [
      { name: 'challenge-http', messages: challengeRequests(ORDERED), connect: http },
      { name: 'challenge-tls', messages: await tlsMessages(ORDERED, [PROTOCOL]), connect: https },
      {
        name: 'challenge-tls-inside',
        messages: challengeRequests(ORDERED),
        connect: () => secured(httpsPort, ORDERED, [PROTOCOL])
      },
      { name: 'authority', messages: acmeAnswers, connect: await this.#ordering() }
    ]
  }

  close(): void {
    this.#authority.server.close()
  }

  /** Begins an order. Resolves with the connection to the authority. */
  async #ordering(): Promise<() => Promise<net.Socket>> {
    const port = await listened(this.#authority.server)
    const ca = await makeAuthority({ commonName: 'fuzz', keyType: 'ec' })
    const { cert, key } = await issueServer(ca, { commonName: 'authority', names: [host], keyType: 'ec' })
    const secureContext = tls.createSecureContext({ cert, key })
    const directory = `https://${host}:${port}/directory`
    return async () => {
      const arrived = this.#authority.next()
      const authority = new AcmeAuthority({
        directory,
        ca: ca.cert,
        store: new Store(new Files(), silentLog, directory),
        challenges: this.#challenges,
        clock: wallClock
      })
      const closed = new AbortController()
      const stop = AbortSignal.any([closed.signal, AbortSignal.timeout(ORDER_TIMEOUT_MS)])
      const ordered = authority.issue({ host: 'other.localhost', challenge: 'http-01', signal: stop })
      void ordered
        .catch((error: unknown) => {
          if (!stop.aborted && !(error instanceof OrderFailure) && !isRystraError(error)) throw error
        })
        .finally(() => authority.close())
      const below = await arrived
      below.once('close', () => closed.abort())
      const socket = new tls.TLSSocket(below, { isServer: true, secureContext })
      await once(socket, 'secure')
      return Object.assign(socket, { below })
    }
  }
}
