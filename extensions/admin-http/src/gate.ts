import { asciiHost } from '@rystra/address'
import { BoundedMap, TokenBucket } from '@rystra/limits'
import { type AdminCaller, type AdminScope, adminScopes } from '@rystra/plugin'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { frontOf } from './front.js'
import { HttpError } from './problem.js'
import type { Tokens } from './tokens.js'

/** Requests a second of one caller; a dashboard and `rystra top` need a few. */
const RATE = 50
const BURST = 200
/** Changes a second of one caller. */
const CHANGE_RATE = 10
const CHANGE_BURST = 50
/** Wrong tokens a second from one address. */
const FAILURE_RATE = 0.2
const FAILURE_BURST = 10
/** Callers and addresses whose rate is kept. */
const MAX_KEPT = 1000

const local: AdminCaller = Object.freeze({ name: 'local', scope: 'admin' })

/** What a gate works with. */
export interface GateOptions {
  readonly tokens: Tokens
  /** Names that a Host header may have, beside addresses of loopback. */
  readonly hosts: readonly string[]
  readonly now: () => number
}

const changes = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])

/** Whether a method may change something. */
export const isChange = (method = ''): boolean => changes.has(method)

/** Decides which requests are served, and for which caller. */
export class Gate {
  readonly #tokens: Tokens
  readonly #hosts: ReadonlySet<string>
  readonly #now: () => number
  /** By caller. */
  readonly #buckets = new BoundedMap<string, TokenBucket>(MAX_KEPT)
  /** By address. */
  readonly #failures = new BoundedMap<string, TokenBucket>(MAX_KEPT)

  constructor({ tokens, hosts, now }: GateOptions) {
    this.#tokens = tokens
    this.#hosts = new Set(['localhost', ...hosts.map((host) => asciiHost(host) ?? host.toLowerCase())])
    this.#now = now
  }

  /**
   * Throws unless the request is for this server, and not from a page of another origin. A unix socket cannot be reached
   * by a browser.
   */
  checkOrigin(request: IncomingMessage): void {
    if (frontOf(request).kind === 'unix') return
    const { host, origin, 'sec-fetch-site': site } = request.headers
    if (!this.#isOwnHost(host)) {
      throw new HttpError(403, 'admin.forbidden', `the Host ${shown(host)} is not one of this server`, {
        hint: 'use the address of `listen`, or add the name to `hosts` of admin-http'
      })
    }
    if (!isChange(request.method)) return
    const own = `${frontOf(request).secure ? 'https' : 'http'}://${host}`
    // A reverse proxy in front may speak TLS.
    if (origin !== undefined && origin !== own && origin !== `https://${host}`)
      throw new HttpError(403, 'admin.forbidden', `changes from pages of ${shown(origin)} are refused`)
    if (site !== undefined && site !== 'same-origin' && site !== 'none')
      throw new HttpError(403, 'admin.forbidden', `changes from pages of another site are refused (${shown(site)})`)
  }

  /** The caller. Throws 401 without a valid token, and 429 for an address that has sent too many. */
  authenticate(request: IncomingMessage): AdminCaller {
    if (frontOf(request).kind === 'unix') return local
    const [, token] = /^Bearer +([\x21-\x7e]{1,1024}) *$/i.exec(request.headers.authorization ?? '') ?? []
    const caller = token === undefined ? undefined : this.#tokens.find(token)
    // A valid token is served always: others may fail from the same address, behind a reverse proxy for example.
    if (caller !== undefined) return caller
    const headers = { 'www-authenticate': 'Bearer realm="rystra"' }
    if (token === undefined)
      throw new HttpError(401, 'admin.unauthorized', 'there is no Authorization header with a bearer token', {
        headers
      })
    const failures = this.#bucket(this.#failures, request.socket.remoteAddress ?? '', FAILURE_RATE, FAILURE_BURST)
    if (!failures.take(1, this.#now()))
      throw tooMany('too many requests without a valid token from this address', failures.wait(1, this.#now()))
    throw new HttpError(401, 'admin.unauthorized', 'unknown token', { headers })
  }

  /** Throws 403 for a caller without the scope, and 429 for one that is too fast. */
  admit(request: IncomingMessage, caller: AdminCaller, scope: AdminScope): void {
    if (!allows(caller, scope)) {
      const detail = `the token ${caller.name} has the scope ${caller.scope}, this needs ${scope}`
      throw new HttpError(403, 'admin.forbidden', detail, { hint: 'use a token of that scope' })
    }
    const change = isChange(request.method)
    const bucket = change
      ? this.#bucket(this.#buckets, `changes ${caller.name}`, CHANGE_RATE, CHANGE_BURST)
      : this.#bucket(this.#buckets, `requests ${caller.name}`, RATE, BURST)
    if (!bucket.take(1, this.#now())) throw tooMany(`too many requests of ${caller.name}`, bucket.wait(1, this.#now()))
  }

  #bucket(kept: Map<string, TokenBucket>, key: string, rate: number, burst: number): TokenBucket {
    const bucket = kept.get(key) ?? new TokenBucket(rate, burst, this.#now())
    kept.set(key, bucket)
    return bucket
  }

  #isOwnHost(host: string | undefined): boolean {
    const [, bracketed, plain] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s]+))(?::\d{1,5})?$/i.exec(host ?? '') ?? []
    const name = (bracketed ?? plain ?? '').toLowerCase()
    // Another name that an attacker points to loopback (DNS rebinding) is a name; an address cannot be rebound.
    return isIP(name) !== 0 ? this.#hosts.has(name) || isLoopback(name) : this.#hosts.has(name)
  }
}

/** Whether a caller may do what needs a scope. */
export const allows = (caller: AdminCaller, scope: AdminScope): boolean =>
  adminScopes.indexOf(caller.scope) >= adminScopes.indexOf(scope)

/** Whether an address can be reached from this machine alone. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))

const tooMany = (detail: string, wait: number): HttpError =>
  new HttpError(429, 'admin.busy', detail, { headers: { 'retry-after': String(Math.max(1, Math.ceil(wait / 1000))) } })

const shown = (value: string | undefined): string => JSON.stringify((value ?? '').slice(0, 100))
