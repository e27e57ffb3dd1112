import { portRangePattern } from '@rystra/address'
import { bytesPattern } from '@rystra/limits'
import { type Static, Type } from '@rystra/plugin'

const texts = (description: string) =>
  Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 253 }), { minItems: 1, description }))

const ports = (description: string) =>
  Type.Optional(
    Type.Array(
      Type.Union([
        Type.Integer({ minimum: 1, maximum: 65_535 }),
        Type.String({ title: "a port, or a range such as '8000-8999'", pattern: portRangePattern })
      ]),
      {
        description
      }
    )
  )

const quotaOptions = Type.Object(
  {
    proxies: Type.Optional(Type.Integer({ minimum: 0, description: 'Maximum of proxies. Default: no limit.' })),
    streams: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Maximum of visitor connections. Default: no limit.' })
    ),
    bandwidth: Type.Optional(
      Type.String({
        title: "bytes such as '500kB', '10MB'",
        pattern: bytesPattern,
        description: 'Bytes per second in each direction, all proxies together: `10MB`. Default: no limit.'
      })
    ),
    bytesPerDay: Type.Optional(
      Type.String({
        title: "bytes such as '500kB', '10MB'",
        pattern: bytesPattern,
        description: 'Bytes per day (UTC) in both directions, all proxies together. Default: no limit.'
      })
    )
  },
  { additionalProperties: false, description: 'Quotas of the tenant, or of the identity without tenant.' }
)

const ruleOptions = Type.Object(
  {
    identities: texts('Identities of the rule; `*` matches any text. Default: all.'),
    tenant: Type.Optional(Type.String({ minLength: 1, description: 'Tenant of the rule. Default: all.' })),
    rights: Type.Optional(
      Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]), {
        description: 'Rights that the identity must have: the value, or a list that contains it. Default: none.'
      })
    ),
    deny: Type.Optional(
      Type.Boolean({ default: false, description: 'Whether everything is refused. Default: false.' })
    ),
    kinds: texts('Allowed kinds of proxies. Default: all.'),
    ports: ports('Allowed public ports: `20022`, `20000-20099`. Default: all that the server allows.'),
    hosts: texts('Allowed hosts: `app.example.org`, or `*.example.org` for all subdomains at any depth. Default: all.'),
    names: texts(
      'Allowed names of proxies, and of private proxies the names for visits; `*` matches any text. Default: all.'
    ),
    visitors: texts('Allowed networks of visitors: `10.0.0.0/8`, `2001:db8::/32`. Default: all.'),
    denyVisitors: texts('Networks that visitors may not come from, also within `visitors`. Default: none.'),
    quotas: Type.Optional(quotaOptions)
  },
  { additionalProperties: false }
)

export const aclOptions = Type.Object({
  rules: Type.Array(ruleOptions, {
    default: [],
    description:
      'Rules; the first that matches an identity applies. Names, hosts and ports of a rule are reserved for its identities. Default: none.'
  }),
  default: Type.Union([Type.Literal('deny'), Type.Literal('allow')], {
    default: 'deny',
    description: 'Policy for identities that no rule matches: deny or allow. Default: deny.'
  }),
  denyVisitors: Type.Array(Type.String({ minLength: 1, maxLength: 253 }), {
    default: [],
    description: 'Networks whose visitors are refused at every proxy: `203.0.113.0/24`. Default: none.'
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
      description:
        'Ports, hosts and names that only identities get whose rule names them, or a part of them. Default: none.'
    }
  ),
  tenants: Type.Record(Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 })), {
    default: {},
    description:
      'Identities of each tenant, by patterns. The right `tenant` of an identity takes precedence. Default: none.'
  }),
  baseDomain: Type.String({
    minLength: 1,
    default: 'localhost',
    description: 'Domain of `subdomain` of a proxy, as in proxy-http and proxy-https. Default: localhost.'
  })
})

export type AclOptions = Static<typeof aclOptions>
export type RuleOptions = Static<typeof ruleOptions>
export type QuotaOptions = Static<typeof quotaOptions>
