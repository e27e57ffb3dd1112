import { type Static, Type } from '@rystra/plugin'

/** What targets are told of. */
const notificationTypes = [
  'client.online',
  'client.offline',
  'proxy.published',
  'proxy.gone',
  'refusals.exceeded',
  'certificate.expiring',
  'certificate.failed',
  'reload.done',
  'reload.failed'
] as const
export type NotificationType = (typeof notificationTypes)[number]

const common = {
  events: Type.Optional(
    Type.Array(Type.Union(notificationTypes.map((type) => Type.Literal(type))), {
      minItems: 1,
      uniqueItems: true,
      description: 'Types of notifications that the target gets. Default: all.'
    })
  ),
  attempts: Type.Integer({
    default: 10,
    minimum: 1,
    maximum: 100,
    description: 'Attempts until a notification is given up. Default: 10, which take about half an hour.'
  }),
  queue: Type.Integer({
    default: 1000,
    minimum: 1,
    maximum: 100_000,
    description: 'Notifications that may wait; one more drops the oldest, which is counted. Default: 1000.'
  })
}

const webhook = Type.Object(
  {
    webhook: Type.String({
      pattern: '^[Hh][Tt][Tt][Pp][Ss]?://',
      maxLength: 2048,
      secret: true,
      description: 'URL that notifications are posted to.'
    }),
    secret: Type.Optional(
      Type.String({
        minLength: 16,
        secret: true,
        description:
          'Secret of the signature (Standard Webhooks), as text or `whsec_` with base64. Default: not signed.'
      })
    ),
    headers: Type.Optional(
      Type.Record(
        Type.String({ pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$" }),
        Type.String({ pattern: '^[\\t\\x20-\\x7e]*$', secret: true }),
        {
          description: 'Additional request headers.'
        }
      )
    ),
    timeout: Type.Integer({
      default: 10_000,
      minimum: 100,
      maximum: 120_000,
      description: 'Milliseconds for one attempt. Default: 10000.'
    }),
    ...common
  },
  { additionalProperties: false }
)

const command = Type.Object(
  {
    command: Type.Array(Type.String({ minLength: 1 }), {
      minItems: 1,
      description:
        'Program and its arguments, run without a shell. The notification is on its standard input and in RYSTRA_* variables.'
    }),
    timeout: Type.Integer({
      default: 30_000,
      minimum: 100,
      maximum: 3_600_000,
      description: 'Milliseconds until the program is killed. Default: 30000.'
    }),
    ...common
  },
  { additionalProperties: false }
)

export const notifyOptions = Type.Object({
  targets: Type.Array(Type.Union([webhook, command]), {
    minItems: 1,
    maxItems: 64,
    description: 'Webhooks and commands.'
  }),
  refusals: Type.Object(
    {
      count: Type.Integer({
        default: 20,
        minimum: 1,
        description: 'Refusals from which a notification is sent. Default: 20.'
      }),
      within: Type.Integer({
        default: 60_000,
        minimum: 1000,
        description: 'Milliseconds in which they count. Default: 60000.'
      })
    },
    {
      default: { count: 20, within: 60_000 },
      additionalProperties: false,
      description: 'Threshold of `refusals.exceeded`.'
    }
  ),
  certificates: Type.Object(
    {
      before: Type.Integer({
        default: 14,
        minimum: 1,
        maximum: 365,
        description:
          'Days before the expiry of a certificate from which notifications are sent, one a day. Default: 14.'
      }),
      files: Type.Array(Type.String({ minLength: 1 }), {
        default: [],
        maxItems: 256,
        description:
          'Certificates (PEM) to watch beside those that the configuration names as `cert`. Default: no further files.'
      })
    },
    {
      default: { before: 14, files: [] },
      additionalProperties: false,
      description: 'Watching of `certificate.expiring`.'
    }
  )
})

export type NotifyOptions = Static<typeof notifyOptions>
export type WebhookOptions = Static<typeof webhook>
export type CommandOptions = Static<typeof command>

/** Targets with their defaults, which a union does not fill in. */
export const withDefaults = (
  target: Partial<WebhookOptions> & Partial<CommandOptions>
): WebhookOptions | CommandOptions => {
  const { attempts = 10, queue = 1000, timeout = target.webhook === undefined ? 30_000 : 10_000 } = target
  return { ...target, attempts, queue, timeout } as WebhookOptions | CommandOptions
}
