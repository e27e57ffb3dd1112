import { type Static, Type } from '@rystra/plugin'

const text = (description: string) => Type.String({ minLength: 1, maxLength: 512, description })
const file = (content: 'text' | 'bytes') => Type.String({ minLength: 1, file: content })

const attribute = Type.Optional(text('Pattern for one value of this attribute. Default: any.'))

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
  { additionalProperties: false, description: 'Patterns for the subject; all must match. Default: any.' }
)

/** One rule of a server. */
const ruleSchema = Type.Object(
  {
    id: text('Identity of such certificates: text with placeholders such as {subject.CN}, {san.email}, {serial}.'),
    subject: Type.Optional(subject),
    san: Type.Optional(
      Type.String({
        title: 'email:, dns: or uri: with a name, such as dns:*.example.org',
        pattern: '^(email|dns|uri):.+$',
        maxLength: 512,
        description:
          'Pattern for an alternative name: email:*@example.org, dns:*.example.org, uri:spiffe://example.org/*. Default: any.'
      })
    ),
    fingerprint: Type.Optional(
      Type.String({
        title: 'a SHA-256 fingerprint, 64 hexadecimal digits such as sha256:9f86…0a08',
        pattern: '^(sha256:)?([0-9a-fA-F]{2}:?){31}[0-9a-fA-F]{2}$',
        description: 'SHA-256 fingerprint of the certificate. Default: any.'
      })
    ),
    rights: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: 'Rights of the identity, for hooks. Default: none.' })
    )
  },
  { additionalProperties: false }
)

/** Options of the server. A client needs none: its certificate is its transport's. */
export const mtlsOptions = Type.Object(
  {
    rules: Type.Optional(
      Type.Array(ruleSchema, {
        description:
          'Server: rules that map certificates to identities. The first rule that matches applies. Default: none.'
      })
    ),
    revoked: Type.Optional(
      Type.Array(
        Type.String({
          title: 'sha256: or serial: with hexadecimal digits, such as serial:4F3A',
          pattern: '^(sha256:|serial:)?[0-9a-fA-F:]{1,95}$'
        }),
        {
          description: 'Server: SHA-256 fingerprints or serial numbers of revoked certificates. Default: none.'
        }
      )
    ),
    crl: Type.Optional(
      Type.Array(file('bytes'), {
        description: 'Server: files with revocation lists, PEM or DER; reloaded when they change. Default: none.'
      })
    ),
    ca: Type.Optional(
      Type.Array(file('text'), {
        description: 'Server: PEM files with the authorities that sign the lists of `crl`. Required with `crl`.'
      })
    )
  },
  { additionalProperties: false }
)

export type MtlsRule = Static<typeof ruleSchema>
export type MtlsOptions = Static<typeof mtlsOptions>
