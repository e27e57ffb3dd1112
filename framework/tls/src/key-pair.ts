import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { CERTIFICATE, filesError, PRIVATE_KEY, readPem } from './files.js'

/** A certificate with its private key, PEM. */
export interface KeyPair {
  readonly cert: string
  readonly key: string
  /** The first certificate of `cert`. */
  readonly leaf: X509Certificate
}

const leafOf = (where: string, cert: string): X509Certificate => {
  try {
    return new X509Certificate(cert)
  } catch (error) {
    throw filesError(`${where}: malformed certificate`, error)
  }
}

const keyOf = (where: string, key: string): KeyObject => {
  try {
    return createPrivateKey(key)
  } catch (error) {
    const encrypted = /ENCRYPTED/.test(key)
    throw filesError(
      `${where}: ${encrypted ? 'the key is encrypted' : 'malformed key'}`,
      error,
      encrypted ? 'decrypt it: openssl pkey -in <file> -out <file>' : undefined
    )
  }
}

/** Checks that certificate and key match and that OpenSSL accepts them. Throws `tls.files`. */
export const checkKeyPair = (cert: string, key: string, certAt: string, keyAt: string): KeyPair => {
  const leaf = leafOf(certAt, cert)
  if (!leaf.checkPrivateKey(keyOf(keyAt, key))) {
    throw filesError(`${keyAt}: the key does not match the certificate of ${certAt}`)
  }
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    throw filesError(`${certAt}: ${(error as Error).message}`, error)
  }
  return { cert, key, leaf }
}

/**
 * Reads `cert` and `key`, which are given both or neither. Rejects with `tls.files`.
 * @param known What was read before: the answer, if nothing has changed. Checks cost more than a TLS handshake.
 */
export const readKeyPair = async (
  { cert, key }: { readonly cert?: string; readonly key?: string },
  dir: string,
  known?: KeyPair
): Promise<KeyPair | undefined> => {
  if (cert === undefined && key === undefined) return undefined
  if (cert === undefined) throw filesError('`key` is given without `cert`')
  if (key === undefined) throw filesError('`cert` is given without `key`')
  const [certText, keyText] = await Promise.all([
    readPem('cert', cert, dir, CERTIFICATE, 'certificate'),
    readPem('key', key, dir, PRIVATE_KEY, 'private key')
  ])
  if (known?.cert === certText && known.key === keyText) return known
  return checkKeyPair(certText, keyText, `cert ${cert}`, `key ${key}`)
}

/** Reads a file of certificate authorities. Rejects with `tls.files`. @param known What was read before, and is valid. */
export const readAuthorities = async (field: string, file: string, dir: string, known?: string): Promise<string> => {
  const text = await readPem(field, file, dir, CERTIFICATE, 'certificate')
  if (text === known) return text
  leafOf(`${field} ${file}`, text)
  try {
    createSecureContext({ ca: text })
  } catch (error) {
    throw filesError(`${field} ${file}: ${(error as Error).message}`, error)
  }
  return text
}
