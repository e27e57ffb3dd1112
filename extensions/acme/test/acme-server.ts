import { createHash, createHmac, createPublicKey, type JsonWebKey, randomBytes, verify, webcrypto } from 'node:crypto'
import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import tls from 'node:tls'
import * as x509 from '@peculiar/x509'
import { issueServer, makeAuthority } from '@rystra/certificates'

type Json = Record<string, unknown>

interface Answer {
  readonly status?: number
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

/** A request after its signature was checked. */
interface Signed {
  readonly path: string
  readonly payload: Json | undefined
  readonly account: string
  readonly jwk: JsonWebKey
}

interface Challenge {
  readonly type: string
  readonly token: string
  status: string
  error?: Json
}

interface OrderState {
  readonly host: string
  readonly challenges: Challenge[]
  authorization: string
  status: string
  certificate?: string
}

class Refused extends Error {
  constructor(
    readonly status: number,
    readonly type: string,
    detail = type
  ) {
    super(detail)
  }
}

const decode = (text: unknown): Buffer => Buffer.from(String(text), 'base64url')
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

const thumbprint = ({ crv, kty, x, y }: JsonWebKey): string =>
  createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url')

/** What a test has the authority do in place of what it should. `undefined`: nothing. */
export type Interfere = (path: string, response: ServerResponse) => Answer | 'handled' | undefined

/** An authority of the test: the part of RFC 8555 that orders need. It checks signatures, nonces and hosts for real. */
export class AcmeServer {
  /** Where it connects to check hosts. It waits until that is known. */
  ports: Promise<{ readonly http: number; readonly tls: number }> = new Promise(() => {})
  readonly requests: string[] = []
  readonly orders: OrderState[] = []
  /** Contacts of accounts. */
  readonly accounts = new Map<string, { jwk: JsonWebKey; contact: unknown }>()
  interfere: Interfere = () => undefined
  /** Days for which certificates are valid, from `now` on. */
  days = 90
  now = (): number => Date.now()
  externalAccount: { keyId: string; hmacKey: string } | undefined
  /** Changes the host that a certificate is issued for. */
  issuedFor = (host: string): string => host
  /** PEM of the authority that signed its own certificate. */
  ca = ''
  url = ''
  readonly #nonces = new Set<string>()
  #server!: https.Server
  #issuer!: { certificate: x509.X509Certificate; keys: webcrypto.CryptoKeyPair }

  async start(): Promise<void> {
    x509.cryptoProvider.set(webcrypto as never)
    const authority = await makeAuthority({ commonName: 'test authority', keyType: 'ec' })
    const own = await issueServer(authority, { commonName: 'localhost', keyType: 'ec' })
    this.ca = authority.cert
    const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: 'CN=test issuer',
      keys: keys as never,
      signingAlgorithm: algorithm,
      extensions: [new x509.BasicConstraintsExtension(true, 0, true)]
    })
    this.#issuer = { certificate, keys }
    this.#server = https.createServer(own, (request, response) => void this.#serve(request, response))
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    this.url = `https://localhost:${(this.#server.address() as AddressInfo).port}`
  }

  get directory(): string {
    return `${this.url}/directory`
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/'
    this.requests.push(path)
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const other = this.interfere(path, response)
    if (other === 'handled') return
    try {
      this.#send(response, other ?? (await this.#answer(path, Buffer.concat(chunks).toString())))
    } catch (error) {
      const { status, type, message } =
        error instanceof Refused ? error : new Refused(500, 'serverInternal', String(error))
      const body = { type: `urn:ietf:params:acme:error:${type}`, detail: message }
      this.#send(response, { status, body, headers: { 'Content-Type': 'application/problem+json' } })
    }
  }

  #send(response: ServerResponse, { status = 200, body, headers = {} }: Answer): void {
    const nonce = randomBytes(16).toString('base64url')
    this.#nonces.add(nonce)
    const text = typeof body === 'string' ? body : JSON.stringify(body ?? {})
    const type = typeof body === 'string' ? 'application/pem-certificate-chain' : 'application/json'
    response.writeHead(status, { 'Content-Type': type, 'Replay-Nonce': nonce, ...headers })
    response.end(text)
  }

  async #answer(path: string, body: string): Promise<Answer> {
    const { url } = this
    if (path === '/directory') {
      const meta = { externalAccountRequired: this.externalAccount !== undefined }
      return { body: { newNonce: `${url}/nonce`, newAccount: `${url}/account`, newOrder: `${url}/order`, meta } }
    }
    if (path === '/nonce') return {}
    const signed = this.#check(path, JSON.parse(body) as Json)
    const [, what = '', id = '0', index = '0'] = path.split('/')
    const order = this.orders[Number(id)] as OrderState
    switch (what) {
      case 'account':
        return this.#register(signed, id)
      case 'order':
        return id === '0' && path === '/order' ? this.#order(signed) : { body: this.#orderBody(Number(id)) }
      case 'authorization':
        return { body: this.#authorizationBody(Number(id)) }
      case 'challenge':
        await this.#validate(order, order.challenges[Number(index)] as Challenge, signed.jwk)
        return { body: {} }
      case 'finalize':
        return this.#finalize(order, Number(id), signed.payload)
      case 'certificate':
        return { body: order.certificate as string }
      default:
        throw new Refused(404, 'malformed')
    }
  }

  /** The signature, the nonce and the URL of a request, RFC 8555 §6.2 to 6.5. */
  #check(path: string, { protected: head, payload, signature }: Json): Signed {
    const { alg, nonce, url, jwk, kid } = JSON.parse(decode(head).toString()) as Json
    if (!this.#nonces.delete(String(nonce))) throw new Refused(400, 'badNonce')
    if (url !== `${this.url}${path}`) throw new Refused(400, 'unauthorized', 'signed for another URL')
    const account = kid === undefined ? thumbprint(jwk as JsonWebKey) : (String(kid).split('/').at(-1) ?? '')
    const key = (kid === undefined ? jwk : this.accounts.get(account)?.jwk) as JsonWebKey | undefined
    if (key === undefined) throw new Refused(400, 'accountDoesNotExist')
    const valid = verify(
      'sha256',
      Buffer.from(`${String(head)}.${String(payload)}`),
      { key: createPublicKey({ key, format: 'jwk' }), dsaEncoding: 'ieee-p1363' },
      decode(signature)
    )
    if (alg !== 'ES256' || !valid) throw new Refused(403, 'unauthorized', 'invalid signature')
    const text = decode(payload).toString()
    return { path, account, jwk: key, payload: text === '' ? undefined : (JSON.parse(text) as Json) }
  }

  #register({ account, jwk, payload, path }: Signed, id: string): Answer {
    if (path !== '/account') {
      this.accounts.set(id, { jwk, contact: payload?.['contact'] })
      return { body: { status: 'valid' } }
    }
    if (payload?.['termsOfServiceAgreed'] !== true) throw new Refused(403, 'userActionRequired')
    if (this.externalAccount !== undefined) this.#checkExternal(payload['externalAccountBinding'] as Json | undefined)
    this.accounts.set(account, { jwk, contact: payload['contact'] })
    return { status: 201, body: { status: 'valid' }, headers: { Location: `${this.url}/account/${account}` } }
  }

  /** RFC 8555 §7.3.4. */
  #checkExternal(binding: Json | undefined): void {
    const { keyId, hmacKey } = this.externalAccount as { keyId: string; hmacKey: string }
    if (binding === undefined) throw new Refused(403, 'externalAccountRequired')
    const mac = createHmac('sha256', decode(hmacKey)).update(
      `${String(binding['protected'])}.${String(binding['payload'])}`
    )
    const { kid } = JSON.parse(decode(binding['protected']).toString()) as Json
    if (kid !== keyId || mac.digest('base64url') !== binding['signature'])
      throw new Refused(403, 'unauthorized', 'binding')
  }

  #order({ payload }: Signed): Answer {
    const [{ value: host = '' } = {}] = (payload?.['identifiers'] ?? []) as { value?: string }[]
    const challenge = (type: string): Challenge => ({
      type,
      token: randomBytes(16).toString('base64url'),
      status: 'pending'
    })
    const order: OrderState = {
      host,
      challenges: ['http-01', 'tls-alpn-01'].map(challenge),
      authorization: 'pending',
      status: 'pending'
    }
    const id = this.orders.push(order) - 1
    return { status: 201, body: this.#orderBody(id), headers: { Location: `${this.url}/order/${id}` } }
  }

  #orderBody(id: number): Json {
    const { host, status, certificate } = this.orders[id] as OrderState
    return {
      status,
      identifiers: [{ type: 'dns', value: host }],
      authorizations: [`${this.url}/authorization/${id}`],
      finalize: `${this.url}/finalize/${id}`,
      ...(certificate === undefined ? {} : { certificate: `${this.url}/certificate/${id}` })
    }
  }

  #authorizationBody(id: number): Json {
    const { host, challenges, authorization } = this.orders[id] as OrderState
    return {
      status: authorization,
      identifier: { type: 'dns', value: host },
      challenges: challenges.map((one, index) => ({ ...one, url: `${this.url}/challenge/${id}/${index}` }))
    }
  }

  /** Connects to the host, RFC 8555 §8.3 and RFC 8737 §3. */
  async #validate(order: OrderState, challenge: Challenge, jwk: JsonWebKey): Promise<void> {
    const expected = `${challenge.token}.${thumbprint(jwk)}`
    const fits =
      challenge.type === 'http-01'
        ? (await this.#fetch(order.host, challenge.token)) === expected
        : await this.#handshake(order.host, expected)
    challenge.status = fits ? 'valid' : 'invalid'
    order.authorization = challenge.status
    if (!fits)
      challenge.error = { type: 'urn:ietf:params:acme:error:unauthorized', detail: `${order.host} does not answer` }
    if (fits) order.status = 'ready'
  }

  async #fetch(host: string, token: string): Promise<string> {
    const target = { host: '127.0.0.1', port: (await this.ports).http, path: `/.well-known/acme-challenge/${token}` }
    const request = http.get({ ...target, headers: { Host: host }, agent: false })
    try {
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      let text = ''
      for await (const chunk of response) text += String(chunk)
      return response.statusCode === 200 ? text : ''
    } catch {
      return ''
    }
  }

  async #handshake(host: string, expected: string): Promise<boolean> {
    const socket = tls.connect({
      host: '127.0.0.1',
      port: (await this.ports).tls,
      servername: host,
      ALPNProtocols: ['acme-tls/1'],
      rejectUnauthorized: false
    })
    try {
      await once(socket, 'secureConnect')
      const { raw } = socket.getPeerCertificate()
      const { extensions } = new x509.X509Certificate(raw)
      const proof = extensions.find(({ type }) => type === '1.3.6.1.5.5.7.1.31')
      const hash = createHash('sha256').update(expected).digest()
      return (
        socket.alpnProtocol === 'acme-tls/1' &&
        proof?.critical === true &&
        Buffer.from(proof.value).subarray(2).equals(hash)
      )
    } catch {
      return false
    } finally {
      socket.destroy()
    }
  }

  async #finalize(order: OrderState, id: number, payload: Json | undefined): Promise<Answer> {
    if (order.status !== 'ready') throw new Refused(403, 'orderNotReady')
    const csr = new x509.Pkcs10CertificateRequest(decode(payload?.['csr']))
    if (!(await csr.verify())) throw new Refused(400, 'badCSR')
    const notBefore = new Date(this.now() - 60_000)
    const certificate = await x509.X509CertificateGenerator.create({
      subject: '',
      issuer: this.#issuer.certificate.subject,
      notBefore,
      notAfter: new Date(notBefore.getTime() + this.days * 86_400_000),
      publicKey: csr.publicKey as never,
      signingKey: this.#issuer.keys.privateKey as never,
      signingAlgorithm: algorithm,
      extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: this.issuedFor(order.host) }])]
    })
    order.certificate = `${certificate.toString('pem')}\n${this.#issuer.certificate.toString('pem')}\n`
    order.status = 'valid'
    return { body: this.#orderBody(id) }
  }
}
