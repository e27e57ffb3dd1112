import { type AdminCaller, adminScopes, type Details, isErrorCode, type Runtime, RystraError } from '@rystra/plugin'
import type { FastifyInstance } from 'fastify'
import { randomBytes } from 'node:crypto'
import { HttpError } from './problem.js'

/** What servers of a cluster ask each other for. */
const REQUEST = 'admin'

/** Header by which the API knows a call that another server has passed on; its value is good for one call. */
export const FORWARDED = 'x-rystra-forwarded'

/** What may be passed on: calls for one session or one proxy. To `URL` a backslash is a slash, and tabs are nothing. */
const PATH = /^\/v1\/(sessions|proxies)(\/[^/\\\s]*)?$/
const METHODS = ['GET', 'POST', 'DELETE']

const MAX_NAME = 128

/** A call of the API, as it is passed on. */
export interface ForwardedCall {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** With its query. */
  readonly url: string
  readonly body?: unknown
  readonly caller: AdminCaller
}

/** The response of the other server. */
export interface ForwardedResponse {
  readonly status: number
  readonly body: unknown
}

const callOf = ({ method, url, body, name, scope }: Details): ForwardedCall => {
  const known = adminScopes.find((one) => one === scope)
  const isCall = typeof method === 'string' && METHODS.includes(method) && typeof url === 'string'
  if (!isCall || !PATH.test(url.split('?', 1)[0] ?? '') || typeof name !== 'string' || known === undefined)
    throw new RystraError('protocol.malformed', { side: 'client', detail: 'a call of the admin API' })
  return { method: method as ForwardedCall['method'], url, body, caller: { name, scope: known } }
}

/** Calls of the API that concern what another server of the cluster has: passed on to it, and taken from it. */
export class Forwarded {
  readonly #runtime: Runtime
  /** By the value of {@link FORWARDED}. */
  readonly #callers = new Map<string, AdminCaller>()

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  /** Answers calls of other servers; nothing at a server alone. Returns what ends it. */
  serve(api: () => Promise<Pick<FastifyInstance, 'inject'>>): () => void {
    const answer = async (body: Details, member: string): Promise<Details> => {
      const { method, url, body: payload, caller } = callOf(body)
      const key = randomBytes(16).toString('base64url')
      this.#callers.set(key, { name: `${caller.name} at ${member}`.slice(0, MAX_NAME), scope: caller.scope })
      try {
        const response = await (await api()).inject({
          method,
          url,
          headers: { host: 'localhost', [FORWARDED]: key, 'content-type': 'application/json' },
          ...(method === 'GET' ? {} : { payload: JSON.stringify(payload ?? {}) })
        })
        return { status: response.statusCode, body: response.body === '' ? null : response.json() }
      } finally {
        this.#callers.delete(key)
      }
    }
    return this.#runtime.cluster?.serve(REQUEST, answer) ?? (() => {})
  }

  /** The caller of a call that another server has passed on. */
  callerOf(key: unknown): AdminCaller | undefined {
    return typeof key === 'string' ? this.#callers.get(key) : undefined
  }

  /** The server that has a session, by its id or that of its client; `undefined` when none of the others has. */
  memberOf(id: string): string | undefined {
    const { cluster } = this.#runtime
    const [remote = cluster?.session(id)] = cluster?.ofClient(id) ?? []
    return remote?.member
  }

  /** Passes a call on. Rejects with `cluster.*`, or with what the other server answers. */
  async pass(member: string, { method, url, body, caller }: ForwardedCall): Promise<ForwardedResponse> {
    const details = { method, url, name: caller.name, scope: caller.scope, ...(body === undefined ? {} : { body }) }
    const response = await this.#runtime.cluster?.request(member, REQUEST, details)
    const { status, body: answer } = response ?? {}
    if (typeof status !== 'number') throw new RystraError('protocol.malformed', { side: 'server', detail: member })
    if (status < 400) return { status, body: answer }
    const { code, detail, hint } = (answer ?? {}) as Readonly<Record<string, unknown>>
    throw new HttpError(
      status,
      typeof code === 'string' && isErrorCode(code) ? code : 'internal',
      `at the server ${member}: ${String(detail)}`,
      {
        ...(typeof hint === 'string' ? { hint } : {})
      }
    )
  }
}
