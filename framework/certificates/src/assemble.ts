import { createHash, type KeyObject, randomBytes } from 'node:crypto'
import {
  type Asn1,
  bits,
  bytesOf,
  decode,
  extension,
  integer,
  octets,
  oid,
  partsOf,
  sequence,
  set,
  tagged,
  taggedBytes,
  time,
  utf8,
  yes
} from './der.js'
import type { GeneralName } from './names.js'
import { oids } from './oids.js'
import { signed } from './sign.js'

/** Bits of keyUsage (RFC 5280 §4.2.1.3) that are needed here. */
export const usages = { digitalSignature: 0x80, keyEncipherment: 0x20, keyCertSign: 0x04, crlSign: 0x02 } as const

/** Ends of a TLS connection, RFC 5280 §4.2.1.12. */
export type Purpose = 'serverAuth' | 'clientAuth'

/** Everything that a certificate will say. */
export interface Plan {
  readonly subject: Asn1
  readonly names: readonly GeneralName[]
  readonly notBefore: Date
  readonly notAfter: Date
  readonly publicKey: KeyObject
  /** Bits of {@link usages}. */
  readonly usage: number
  readonly purposes?: readonly Purpose[]
  readonly authority: boolean
  /** The authority that signs; not there for a self-signed certificate. */
  readonly issuer?: { readonly subject: Asn1; readonly keyIdentifier: Buffer | undefined }
  readonly signer: KeyObject
}

/** A subject with nothing but a common name. */
export const subjectOf = (commonName: string): Asn1 => sequence(set(sequence(oid(oids.commonName), utf8(commonName))))

/** 126 random bits and a fixed length: positive, never zero, unpredictable (RFC 5280 §4.1.2.2). */
const serial = (): Buffer => {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes
}

/** RFC 7093 §2, method 1: the first 160 bits of SHA-256 over the key. */
const keyIdentifier = (spki: Asn1): Buffer => {
  const key = bytesOf(partsOf(spki)[1]).subarray(1)
  return createHash('sha256').update(key).digest().subarray(0, 20)
}

const usageBits = (usage: number): Asn1 => bits(Uint8Array.of(usage), Math.clz32(usage & -usage) ^ 31)

const extensions = (plan: Plan, own: Buffer): Asn1[] => {
  const { names, usage, purposes = [], authority, issuer } = plan
  const signerId = issuer === undefined ? own : issuer.keyIdentifier
  const constraints = authority ? sequence(yes(), integer(Uint8Array.of(0))) : sequence()
  const alternatives = names.map(({ tag, bytes }) => taggedBytes(tag, bytes))
  return [
    extension(oids.basicConstraints, constraints, true),
    extension(oids.keyUsage, usageBits(usage), true),
    ...(purposes.length === 0
      ? []
      : [extension(oids.extKeyUsage, sequence(...purposes.map((purpose) => oid(oids[purpose]))))]),
    extension(oids.subjectKeyIdentifier, octets(own)),
    ...(signerId === undefined ? [] : [extension(oids.authorityKeyIdentifier, sequence(taggedBytes(0, signerId)))]),
    ...(alternatives.length === 0 ? [] : [extension(oids.subjectAltName, sequence(...alternatives))])
  ]
}

/** The DER of an X.509 v3 certificate (RFC 5280). */
export const assemble = (plan: Plan): Promise<Buffer> => {
  const { subject, issuer, notBefore, notAfter, publicKey, signer } = plan
  const spki = decode(publicKey.export({ type: 'spki', format: 'der' }))
  const body = (algorithm: Asn1): Asn1 =>
    sequence(
      tagged(0, integer(Uint8Array.of(2))),
      integer(serial()),
      algorithm,
      issuer?.subject ?? subject,
      sequence(time(notBefore), time(notAfter)),
      subject,
      spki,
      tagged(3, sequence(...extensions(plan, keyIdentifier(spki))))
    )
  return signed(body, signer)
}
