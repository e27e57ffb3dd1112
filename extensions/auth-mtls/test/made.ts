import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

/** DER of one element. */
const der = (tag: number, ...content: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(content)
  const { length } = body
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), body])
  const hex = length.toString(16)
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  return Buffer.concat([Buffer.of(tag, 0x80 | bytes.length), bytes, body])
}

const sequence = (...content: readonly Uint8Array[]): Buffer => der(0x30, ...content)
const oid = (dotted: string): Buffer => {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const arc = (value: number): number[] => {
    const bytes = [value & 0x7f]
    for (let left = value >>> 7; left > 0; left >>>= 7) bytes.unshift(0x80 | (left & 0x7f))
    return bytes
  }
  return der(0x06, Buffer.from([first * 40 + second, ...rest].flatMap(arc)))
}
const text = (value: string, tag = 0x0c): Buffer => der(tag, Buffer.from(value, 'utf8'))
const time = (at: number): Buffer => {
  const digits = new Date(at).toISOString().replace(/[-:T]|\.\d+/g, '')
  return der(0x18, Buffer.from(digits))
}
const serialBytes = (serial: string): Buffer => der(0x02, Buffer.from(serial, 'hex'))
const bits = (bytes: Uint8Array): Buffer => der(0x03, Buffer.of(0), bytes)
export const extension = (id: string, value: Uint8Array, critical = false): Buffer =>
  sequence(oid(id), ...(critical ? [der(0x01, Buffer.of(0xff))] : []), der(0x04, value))

const attributeOids: Record<string, string> = {
  CN: '2.5.4.3',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  UID: '0.9.2342.19200300.100.1.1'
}
const nameOf = (parts: readonly (readonly [string, string])[]): Buffer =>
  sequence(...parts.map(([name, value]) => der(0x31, sequence(oid(attributeOids[name] ?? name), text(value)))))

const nameTags: Record<string, number> = { email: 0x81, dns: 0x82, uri: 0x86 }

const algorithms = {
  ec: [oid('1.2.840.10045.4.3.2')],
  rsa: [oid('1.2.840.113549.1.1.11'), der(0x05)],
  ed25519: [oid('1.3.101.112')]
}
type Algorithm = keyof typeof algorithms

const keys = (algorithm: Algorithm) => {
  if (algorithm === 'ec') return generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return algorithm === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ed25519')
}

const signed = (body: Buffer, { algorithm, privateKey }: { algorithm: Algorithm; privateKey: KeyObject }): Buffer => {
  const signature = sign(algorithm === 'ed25519' ? null : 'sha256', body, privateKey)
  return sequence(body, sequence(...algorithms[algorithm]), bits(signature))
}

export interface Signer {
  readonly algorithm: Algorithm
  readonly privateKey: KeyObject
  readonly name: Buffer
  readonly der: Buffer
  readonly pem: string
}

const day = 86_400_000
/** The moment at which everything here is made. */
export const now = Date.UTC(2026, 0, 1)

export interface Wanted {
  readonly subject?: readonly (readonly [string, string])[]
  /** `email:a@b`; bytes are taken as they are. */
  readonly names?: readonly string[]
  readonly serial?: string
  readonly notBefore?: number
  readonly notAfter?: number
}

const build = (wanted: Wanted, algorithm: Algorithm, issuer: Signer | undefined): Signer => {
  const { subject = [['CN', 'nas']], names = [], serial = '01', notBefore = now - day, notAfter = now + day } = wanted
  const { publicKey, privateKey } = keys(algorithm)
  const own = { algorithm, privateKey, name: nameOf(subject) }
  const signer = issuer ?? own
  const extensions = [
    ...(issuer === undefined ? [extension('2.5.29.19', sequence(der(0x01, Buffer.of(0xff))), true)] : []),
    ...(names.length === 0
      ? []
      : [
          extension(
            '2.5.29.17',
            sequence(
              ...names.map((name) => {
                const colon = name.indexOf(':')
                return der(nameTags[name.slice(0, colon)] ?? 0x88, Buffer.from(name.slice(colon + 1), 'latin1'))
              })
            )
          )
        ])
  ]
  const body = sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    serialBytes(serial),
    sequence(...algorithms[signer.algorithm]),
    signer.name,
    sequence(time(notBefore), time(notAfter)),
    own.name,
    publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length === 0 ? [] : [der(0xa3, sequence(...extensions))])
  )
  const whole = signed(body, signer)
  return { ...own, der: whole, pem: pemOf('CERTIFICATE', whole) }
}

export const pemOf = (label: string, bytes: Buffer): string =>
  `-----BEGIN ${label}-----\n${bytes.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`

export const authority = (name = 'authority', algorithm: Algorithm = 'ec'): Signer =>
  build({ subject: [['CN', name]], notBefore: now - 9 * day, notAfter: now + 9 * day }, algorithm, undefined)

export const certificate = (issuer: Signer, wanted: Wanted = {}): Signer => build(wanted, 'ec', issuer)

export interface WantedCrl {
  readonly serials?: readonly string[]
  readonly nextUpdate?: number
  readonly extensions?: readonly Buffer[]
  readonly entryExtensions?: readonly Buffer[]
}

export const crl = (
  issuer: Signer,
  { serials = [], nextUpdate, extensions, entryExtensions }: WantedCrl = {}
): Buffer =>
  signed(
    sequence(
      der(0x02, Buffer.of(1)),
      sequence(...algorithms[issuer.algorithm]),
      issuer.name,
      time(now - day),
      ...(nextUpdate === undefined ? [] : [time(nextUpdate)]),
      ...(serials.length === 0
        ? []
        : [
            sequence(
              ...serials.map((serial) =>
                sequence(
                  serialBytes(serial),
                  time(now - day),
                  ...(entryExtensions === undefined ? [] : [sequence(...entryExtensions)])
                )
              )
            )
          ]),
      ...(extensions === undefined ? [] : [der(0xa0, sequence(...extensions))])
    ),
    issuer
  )

export const noise = (size: number): Buffer => randomBytes(size)
