import { portRangePattern } from '@rystra/address'
import { bytesPattern } from '@rystra/limits'
import { type Static, Type } from '@rystra/plugin'

const texts = (description: string) =>
  Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 253 }), { minItems: 1, description }))

const ports = (description: string) =>
  Type.Optional(
    Type.Array(
      Type.Union([Type.Integer({ minimum: 1, maximum: 65_535 }), Type.String({ pattern: portRangePattern })]),
      {
        description
      }
    )
  )

const quotaOptions = Type.Object(
  {
    proxies: Type.Optional(Type.Integer({ minimum: 0, description: 'Proxies at once.' })),
    streams: Type.Optional(Type.Integer({ minimum: 0, description: 'Connections of visitors at once.' })),
    bandwidth: Type.Optional(
      Type.String({ pattern: bytesPattern, description: 'Bytes a second, each way, of all proxies together: `10MB`.' })
    ),
    bytesPerDay: Type.Optional(
      Type.String({ pattern: bytesPattern, description: 'Bytes a day (UTC), both ways, of all proxies together.' })
    )
  },
  { additionalProperties: false, description: 'How much of it, for the tenant as a whole.' }
)

const ruleOptions = Type.Object(
  {
    identities: texts('Identities it is for; `*` stands for any text. Default: all.'),
    tenant: Type.Optional(Type.String({ minLength: 1, description: 'The tenant it is for. Default: all.' })),
    rights: Type.Optional(
      Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]), {
        description: 'Rights that the identity must have: each of this value, or a list with it.'
      })
    ),
    deny: Type.Optional(Type.Boolean({ default: false, description: 'Nothing at all is allowed.' })),
    kinds: texts('Kinds of proxies. Default: all.'),
    ports: ports('Public ports: `20022`, `20000-20099`. Default: all that the server allows.'),
    hosts: texts('Hosts: `app.example.org`, or `*.example.org` for all below it, at any depth. Default: all.'),
    names: texts('Names of proxies, and names under which they are visited; `*` stands for any text. Default: all.'),
    visitors: texts('Networks that visitors may come from: `10.0.0.0/8`, `2001:db8::/32`. Default: all.'),
    denyVisitors: texts('Networks that visitors may not come from, also within `visitors`. Default: none.'),
    quotas: Type.Optional(quotaOptions)
  },
  { additionalProperties: false }
)

export const aclOptions = Type.Object({
  rules: Type.Array(ruleOptions, {
    default: [],
    description: 'The first that is for an identity says what it may do. What one rule names is not for others.'
  }),
  default: Type.Union([Type.Literal('deny'), Type.Literal('allow')], {
    default: 'deny',
    description: 'What holds for those that no rule is for.'
  }),
  denyVisitors: Type.Array(Type.String({ minLength: 1, maxLength: 253 }), {
    default: [],
    description: 'Networks that visitors of any proxy may not come from: `203.0.113.0/24`.'
  }),
  reserved: Type.Object(
    {
      ports: ports('Public ports. Default: none.'),
      hosts: texts('Hosts: `admin.example.org`, or `*.example.org` for all below it. Default: none.'),
      names: texts('Names under which proxies are visited; `*` stands for any text. Default: none.')
    },
    {
      additionalProperties: false,
      default: {},
      description: 'Not for any identity, except for those whose rule names the same, or a part of it.'
    }
  ),
  tenants: Type.Record(Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 })), {
    default: {},
    description: 'Identities of each tenant, by patterns. Before these, the right `tenant` of an identity counts.'
  }),
  baseDomain: Type.String({
    minLength: 1,
    default: 'localhost',
    description: 'What `subdomain` of a proxy is put in front of: as in the options of proxy-http and proxy-https.'
  })
})

export type AclOptions = Static<typeof aclOptions>
export type RuleOptions = Static<typeof ruleOptions>
export type QuotaOptions = Static<typeof quotaOptions>
