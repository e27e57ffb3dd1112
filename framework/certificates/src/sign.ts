import { type KeyObject, sign } from 'node:crypto'
import { promisify } from 'node:util'
import { type Asn1, bits, encode, nothing, oid, sequence } from './der.js'
import { invalid } from './invalid.js'
import { oids } from './oids.js'

const signAsync = promisify<string | undefined, Uint8Array, KeyObject, Buffer>(sign)

/** How a key of this type signs: SHA-256, unless the type has a hash of its own. Throws `cert.invalid`. */
const methodOf = ({ asymmetricKeyType }: KeyObject): { hash: string | undefined; algorithm: Asn1 } => {
  if (asymmetricKeyType === 'rsa') return { hash: 'sha256', algorithm: sequence(oid(oids.rsaSha256), nothing()) }
  if (asymmetricKeyType === 'ec') return { hash: 'sha256', algorithm: sequence(oid(oids.ecdsaSha256)) }
  if (asymmetricKeyType === 'ed25519') return { hash: undefined, algorithm: sequence(oid(oids.ed25519)) }
  throw invalid(`a key of type ${asymmetricKeyType} cannot sign here; rsa, ec and ed25519 can`)
}

/** The DER of what `body` makes, signed. The algorithm stands inside of the signed part too, hence the function. */
export const signed = async (body: (algorithm: Asn1) => Asn1, key: KeyObject): Promise<Buffer> => {
  const { hash, algorithm } = methodOf(key)
  const tbs = body(algorithm)
  const signature = await signAsync(hash, encode(tbs), key)
  return encode(sequence(tbs, algorithm, bits(signature)))
}
