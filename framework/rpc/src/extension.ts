import { importModule } from '@rystra/kernel'
import { defineExtension, Type } from '@rystra/plugin'
import path from 'node:path'
import * as library from './library.js'
import { limit } from './middleware/limit.js'
import { Rpc } from './rpc.js'

/** What a file in the option `services` exports by default: adds handlers to the RPC of its process. */
export type RpcModule = (rpc: Rpc) => void | Promise<void>

const patternOf = (what: string) => Type.Optional(Type.String({ description: `Pattern of ${what}. Default: any.` }))

const rule = Type.Object({
  identity: patternOf('the identity'),
  tenant: patternOf('the tenant'),
  name: patternOf('the name of the request, event or stream'),
  kind: Type.Optional(Type.Union([Type.Literal('request'), Type.Literal('event'), Type.Literal('stream')])),
  direction: Type.Optional(Type.Union([Type.Literal('in'), Type.Literal('out')], { description: 'Default: in.' })),
  relayed: Type.Optional(
    Type.Boolean({ description: 'About clients that call through the server, or about direct calls. Default: both.' })
  ),
  allow: Type.Optional(Type.Boolean({ description: 'Default: true.' }))
})

const rate = (what: string) =>
  Type.Optional(Type.Number({ exclusiveMinimum: 0, description: `${what} Default: unlimited.` }))

const options = Type.Object({
  services: Type.Array(Type.String(), {
    default: [],
    description: 'Files whose default export adds handlers: `(rpc) => { rpc.handler(…) }`. Default: none.'
  }),
  access: Type.Optional(
    Type.Array(rule, {
      description:
        'Calls that are allowed, the first rule that matches applies. Default: all of the other end, none of other clients.'
    })
  ),
  relay: Type.Array(
    Type.Object({
      identity: patternOf("the calling client's identity"),
      from: patternOf("the calling client's id"),
      to: patternOf("the called client's id"),
      toIdentity: patternOf("the called client's identity"),
      allow: Type.Optional(Type.Boolean({ description: 'Default: true.' }))
    }),
    { default: [], description: 'Server: which client may call which other one. Default: none.' }
  ),
  limits: Type.Array(
    Type.Object({
      name: patternOf('the name'),
      calls: rate('Requests a second.'),
      events: rate('Events a second.'),
      bytes: rate('Bytes of bodies a second.'),
      atOnce: rate('Requests that are not answered.')
    }),
    { default: [], description: 'What one session may do; more is refused with `rpc.busy`. Default: maxCalls alone.' }
  ),
  maxCalls: Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    default: 1024,
    description: 'Calls of one peer at once. Default: 1024.'
  }),
  maxMessageBytes: Type.Integer({
    minimum: 1024,
    maximum: 1_073_741_824,
    default: 4_194_304,
    description: 'Largest message in bytes. Default: 4 MiB.'
  })
})

/** RPC in a configuration: `use: '@rystra/rpc'`. */
export default defineExtension({
  name: 'rpc',
  options,
  setup(context) {
    const { services, limits, ...rest } = context.options
    const rpc = new Rpc({ ...rest, middleware: limits.map(limit), log: context.log })
    rpc.install(context)
    return {
      start: async () => {
        for (const file of services) {
          const module = (await importModule(path.resolve(context.dir, file), {
            '@rystra/rpc': library
          })) as { readonly default?: RpcModule }
          if (typeof module.default !== 'function') throw new TypeError(`${file} has no function as its default export`)
          await module.default(rpc)
        }
      },
      stop: () => rpc.close()
    }
  }
})
