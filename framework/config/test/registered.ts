import { type ProxyKind, type Registry, type TSchema, type Transport, Type, defineExtension } from '@rystra/plugin'
import type { Registered } from '../src/registered.js'

const registryOf = <Thing>(things: Record<string, Thing>): Registry<Thing> => ({
  add: () => {},
  get: (name) => things[name] as Thing,
  has: (name) => Object.hasOwn(things, name),
  list: () => Object.keys(things)
})

const unused = (): never => {
  throw new Error('not called by the configuration')
}

export const transport = (
  name: string,
  options: { listenOptions?: TSchema; dialOptions?: TSchema } = {}
): Transport => ({
  name,
  ...options,
  listen: unused,
  dial: unused
})

export const kind = (name: string, spec: TSchema): ProxyKind => ({ kind: name, spec, publish: unused, reach: unused })

export const tcpKind = kind(
  'tcp',
  Type.Object({
    local: Type.String({ description: 'The service.' }),
    port: Type.Optional(
      Type.Union([Type.Integer({ minimum: 0, maximum: 65535 }), Type.String({ pattern: '^\\d+-\\d+$' })])
    ),
    tries: Type.Integer({ default: 3, minimum: 1 })
  })
)

/** What a small set of extensions registers. */
export const registered = (muxers: string[] = ['direct', 'yamux']): Registered => ({
  transports: registryOf({
    tcp: transport('tcp'),
    tls: transport('tls', {
      listenOptions: Type.Object({
        key: Type.String(),
        minVersion: Type.Optional(Type.String({ default: 'TLSv1.3' }))
      }),
      dialOptions: Type.Object({ verify: Type.Boolean({ default: true }) })
    })
  }),
  muxers: registryOf(Object.fromEntries(muxers.map((name) => [name, { name, wrap: unused }]))),
  proxies: registryOf({ tcp: tcpKind })
})

export const officeHours = defineExtension({
  name: 'office-hours',
  options: Type.Object({ from: Type.Integer({ default: 9 }), to: Type.Integer({ default: 17 }) }),
  setup: () => {}
})

export const authToken = defineExtension({
  name: 'auth-token',
  options: Type.Object({
    token: Type.Optional(Type.String({ minLength: 16 })),
    tokens: Type.Optional(Type.Array(Type.Object({ identity: Type.String(), token: Type.String() })))
  }),
  setup: () => {}
})
