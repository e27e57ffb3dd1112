import { type Static, Type } from '@rystra/plugin'

const text = (description: string) => Type.String({ minLength: 1, maxLength: 512, description })
const file = Type.String({ minLength: 1 })

const attribute = Type.Optional(text('Pattern of one of the values of this attribute'))

const subject = Type.Object(
  {
    CN: attribute,
    O: attribute,
    OU: attribute,
    C: attribute,
    L: attribute,
    ST: attribute,
    DC: attribute,
    UID: attribute,
    serialNumber: attribute,
    emailAddress: attribute
  },
  { additionalProperties: false, description: 'Patterns of the subject; all of them have to fit' }
)

/** One rule of a server. */
export const ruleSchema = Type.Object(
  {
    id: text('Who presents such a certificate: text, with {subject.CN}, {san.email}, {serial} and the like in it'),
    subject: Type.Optional(subject),
    san: Type.Optional(
      Type.String({
        pattern: '^(email|dns|uri):.+$',
        maxLength: 512,
        description:
          'Pattern of an alternative name: email:*@example.org, dns:*.example.org, uri:spiffe://example.org/*'
      })
    ),
    fingerprint: Type.Optional(
      Type.String({
        pattern: '^(sha256:)?([0-9a-fA-F]{2}:?){31}[0-9a-fA-F]{2}$',
        description: 'SHA-256 of the certificate'
      })
    ),
    rights: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: 'What the identity may do; hooks read it' })
    )
  },
  { additionalProperties: false }
)

/** Options of the server. A client needs none: its certificate is its transport's. */
export const mtlsOptions = Type.Object(
  {
    rules: Type.Optional(
      Type.Array(ruleSchema, { description: 'Server: who is who. The first rule that fits a certificate decides' })
    ),
    revoked: Type.Optional(
      Type.Array(Type.String({ pattern: '^(sha256:|serial:)?[0-9a-fA-F:]{1,95}$' }), {
        description: 'Server: fingerprints (SHA-256) or serial numbers of certificates that are trusted no more'
      })
    ),
    crl: Type.Optional(
      Type.Array(file, {
        description: 'Server: files with revocation lists, PEM or DER. Looked at again when they change'
      })
    ),
    ca: Type.Optional(
      Type.Array(file, { description: 'Server: PEM files with the authorities that sign the lists of `crl`' })
    )
  },
  { additionalProperties: false }
)

export type MtlsRule = Static<typeof ruleSchema>
export type MtlsOptions = Static<typeof mtlsOptions>
