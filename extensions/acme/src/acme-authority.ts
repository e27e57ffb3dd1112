import { type CertificatePair, type Clock, isRystraError } from '@rystra/plugin'
import type { Authorization, Client, ClientOptions, Order as AcmeOrder } from 'acme-client'
import { type AcmeAnswer, AcmeHttp, safeText } from './acme-http.js'
import type { Authority, Order } from './authority.js'
import type { Challenges } from './challenges.js'
import { OrderFailure } from './failure.js'
import type { Account, Store } from './store.js'
import { wait } from './wait.js'

/** Waits between looks at what the authority does in its own time. */
const POLL_MS = [1000, 2000, 4000, 8000]

/** A token, RFC 8555 §8.3: base64url. */
const TOKEN = /^[A-Za-z0-9_-]{1,256}$/

/** What {@link AcmeAuthority} works with. */
export interface AcmeAuthorityOptions {
  readonly directory: string
  /** PEM of the authorities trusted for the connection. @default those of Node */
  readonly ca?: string
  readonly email?: string
  readonly externalAccount?: { readonly keyId: string; readonly hmacKey: string }
  readonly store: Store
  readonly challenges: Challenges
  readonly clock: Clock
}

/** What acme-client sends requests with; not in its types. */
interface WithHttp {
  readonly http: { request(url: string, method: string, options?: { data?: unknown }): Promise<AcmeAnswer> }
}

/** An authority that speaks ACME, RFC 8555, by acme-client. It is loaded with the first order. */
export class AcmeAuthority implements Authority {
  readonly #options: AcmeAuthorityOptions
  readonly #http: AcmeHttp
  /** One at a time: two orders must not make two accounts. */
  #account: Promise<unknown> = Promise.resolve()

  constructor(options: AcmeAuthorityOptions) {
    this.#options = options
    this.#http = new AcmeHttp(options.clock, options.ca)
  }

  close(): void {
    this.#http.close()
  }

  async issue(order: Order): Promise<CertificatePair> {
    try {
      return await this.#issue(order)
    } catch (error) {
      order.signal.throwIfAborted()
      if (error instanceof OrderFailure || isRystraError(error)) throw error
      // acme-client reads answers without checking them.
      throw new OrderFailure('directory', `malformed answer: ${safeText((error as Error).message)}`)
    }
  }

  async #issue({ host, challenge, signal }: Order): Promise<CertificatePair> {
    const { crypto } = await import('acme-client')
    const client = await this.#client(signal)
    const order = await client.createOrder({ identifiers: [{ type: 'dns', value: host }] })
    for (const authorization of await client.getAuthorizations(order)) {
      if (authorization.status !== 'valid')
        await this.#authorize(client, order, authorization, { host, challenge, signal })
    }
    const [key, csr] = await crypto.createCsr(
      { commonName: host, altNames: [host] },
      await crypto.createPrivateEcdsaKey()
    )
    const finalized = await client.finalizeOrder(order, csr)
    const done = await this.#poll(() => client.getOrder(order), finalized, ['pending', 'ready', 'processing'], signal)
    if (done.status !== 'valid') throw new OrderFailure('order', `the order is ${safeText(done.status)}`)
    return { cert: await client.getCertificate(done), key: key.toString('utf8') }
  }

  async #authorize(client: Client, order: AcmeOrder, authorization: Authorization, of: Order): Promise<void> {
    const { host, challenge: type, signal } = of
    const challenge = authorization.challenges.find((one) => one.type === type)
    if (authorization.identifier.value !== host || challenge === undefined || !TOKEN.test(challenge.token)) {
      throw new OrderFailure('challenge', `the authority offers no ${type} for ${host}`)
    }
    const keyAuthorization = await client.getChallengeKeyAuthorization(challenge)
    const remove = await this.#answer(authorization, type, challenge.token, keyAuthorization)
    try {
      await client.completeChallenge(challenge)
      const fetchState = async (): Promise<Authorization> => {
        const all = await client.getAuthorizations(order)
        return all.find(({ url }) => url === authorization.url) ?? authorization
      }
      const { status, challenges } = await this.#poll(fetchState, await fetchState(), ['pending'], signal)
      if (status === 'valid') return
      const { error } = challenges.find((one) => one.type === type) as { error?: { detail?: unknown } }
      throw new OrderFailure('challenge', `${type}: ${safeText(error?.detail) || `the authorization is ${status}`}`)
    } finally {
      remove()
    }
  }

  async #answer(authorization: Authorization, type: string, token: string, answer: string): Promise<() => void> {
    const { challenges } = this.#options
    const host = authorization.identifier.value
    if (type === 'http-01') return challenges.addHttp(host, token, answer)
    const { crypto } = await import('acme-client')
    const [key, cert] = await crypto.createAlpnCertificate(authorization, answer, await crypto.createPrivateEcdsaKey())
    return challenges.addTls(host, { cert: String(cert), key: String(key) })
  }

  /** Looks until the status is another than those that pass. The signal of the order bounds the time. */
  async #poll<Item extends { status: string }>(
    fetchState: () => Promise<Item>,
    first: Item,
    passing: readonly string[],
    signal: AbortSignal
  ): Promise<Item> {
    let item = first
    for (let round = 0; passing.includes(item.status); round += 1) {
      await wait(this.#options.clock, POLL_MS[Math.min(round, POLL_MS.length - 1)] as number, signal)
      item = await fetchState()
    }
    return item
  }

  /** A client with the account of this server. */
  #client(signal: AbortSignal): Promise<Client> {
    const made = this.#account.then(
      () => this.#withAccount(signal),
      () => this.#withAccount(signal)
    )
    this.#account = made.catch(() => {})
    return made
  }

  async #withAccount(signal: AbortSignal): Promise<Client> {
    const { crypto } = await import('acme-client')
    const { store, email } = this.#options
    const kept = await store.account()
    const account: Account = kept ?? { key: (await crypto.createPrivateEcdsaKey()).toString('utf8') }
    // Before the authority knows the key: an account without its key is of no use.
    if (kept === undefined) await store.saveAccount(account)
    const client = await this.#connect(account, signal)
    const contact = email === undefined ? [] : [`mailto:${email}`]
    if (account.url === undefined) await client.createAccount({ termsOfServiceAgreed: true, contact })
    else if (account.email !== email) await client.updateAccount({ contact })
    else return client
    const url = client.getAccountUrl()
    await store.saveAccount({ key: account.key, url, ...(email === undefined ? {} : { email }) })
    return client
  }

  async #connect({ key, url }: Account, signal: AbortSignal): Promise<Client> {
    const { Client } = await import('acme-client')
    const { directory: directoryUrl, externalAccount, store } = this.#options
    const options: ClientOptions = {
      directoryUrl,
      accountKey: key,
      ...(url === undefined ? {} : { accountUrl: url }),
      ...(externalAccount === undefined
        ? {}
        : { externalAccountBinding: { kid: externalAccount.keyId, hmacKey: externalAccount.hmacKey } })
    }
    const client = new Client(options)
    // In place of axios, which has no limits of time and size, waits by itself, and is shared by all clients.
    const { http } = client as unknown as WithHttp
    http.request = async (where, method, { data } = {}) => {
      try {
        return await this.#http.request(where, method, data, signal)
      } catch (error) {
        // Registered again with the next order.
        if (error instanceof OrderFailure && error.detail.startsWith('accountDoesNotExist'))
          await store.saveAccount({ key })
        throw error
      }
    }
    return client
  }
}
