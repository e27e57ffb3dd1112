import {
  type CertificateDescription,
  type CertificateOptions,
  describeCertificate,
  issueClient,
  issueServer,
  type KeyPair,
  makeAuthority
} from '@rystra/certificates'
import { authorityFiles, readAuthority } from './read.js'
import { putFiles, refuseTaken } from './put.js'

/** What all of them are told. */
export interface MakeOptions {
  readonly out: string
  readonly days?: number | undefined
  readonly bits?: number | undefined
  readonly force: boolean
}

/** What was made. */
export interface Made {
  readonly cert: string
  readonly key: string
  readonly certificate: CertificateDescription
}

/** Options of all certificates. */
export const common = ({
  days,
  bits
}: Pick<MakeOptions, 'days' | 'bits'>): Pick<CertificateOptions, 'days' | 'bits'> => ({
  ...(days === undefined ? {} : { days }),
  ...(bits === undefined ? {} : { bits })
})

/**
 * Keys of the ends of a connection are EC: a server whose clients all return at once signs for each of them, which costs a
 * twentieth of what it costs with RSA. `bits` are those of an RSA key.
 */
const forEnds = (options: MakeOptions): Pick<CertificateOptions, 'days' | 'bits' | 'keyType'> => ({
  ...common(options),
  keyType: options.bits === undefined ? 'ec' : 'rsa'
})

/** Makes a pair of files, readable by their owner alone as far as they are secret. Rejects with `cert.*`. */
export const keep = async (names: [cert: string, key: string], options: MakeOptions, make: () => Promise<KeyPair>) => {
  const [certName, keyName] = names
  await refuseTaken(options.out, [{ name: certName }, { name: keyName }], options.force)
  const pair = await make()
  const [certificate] = describeCertificate(pair.cert)
  const files = [
    { name: keyName, text: pair.key, secret: true },
    { name: certName, text: pair.cert, secret: false }
  ]
  const [key = '', cert = ''] = await putFiles(options.out, files, options.force)
  return { cert, key, certificate: certificate as CertificateDescription }
}

/** `ca.pem` and `ca-key.pem`. Rejects with `cert.*`. */
export const makeCa = (name: string, options: MakeOptions): Promise<Made> =>
  keep([authorityFiles.cert, authorityFiles.key], options, () =>
    makeAuthority({ commonName: name, ...common(options) })
  )

/** `server.pem` and `server-key.pem`; the first name that is short enough is the common name. Rejects with `cert.*`. */
export const makeServer = (names: readonly string[], ca: string, options: MakeOptions): Promise<Made> =>
  keep(['server.pem', 'server-key.pem'], options, async () => {
    const commonName = names.find((name) => name.length <= 64) ?? names[0] ?? ''
    return issueServer(await readAuthority(ca), { commonName, names, ...forEnds(options) })
  })

/** A name for a file, of an identity that may have anything in it. */
const fileName = (identity: string): string =>
  identity.replaceAll(/[^\p{L}\p{N}._@-]+/gu, '-').replace(/^[.-]+/, '') || 'client'

/** `<identity>.pem` and `<identity>-key.pem`. Rejects with `cert.*`. */
export const makeClient = (
  identity: string,
  names: readonly string[],
  ca: string,
  options: MakeOptions
): Promise<Made> => {
  const base = fileName(identity)
  return keep([`${base}.pem`, `${base}-key.pem`], options, async () =>
    issueClient(await readAuthority(ca), { commonName: identity, names, ...forEnds(options) })
  )
}
