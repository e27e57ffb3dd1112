import { type Static, Type } from '@rystra/plugin'
import type { Api, ApiContext } from '../context.js'
import { allows } from '../gate.js'
import { HttpError } from '../problem.js'

const text = (description: string) => Type.String({ description })
const words = <const Word extends string>(list: readonly Word[], description: string) =>
  Type.Unsafe<Word>({ type: 'string', enum: list, description })

const step = Type.Object({
  stage: words(['dns', 'listener', 'route', 'proxy', 'client', 'taps', 'service'], 'Part of the way.'),
  outcome: words(['ok', 'warn', 'fail', 'skip'], 'What was found. `skip`: it was not looked at.'),
  text: text('What was found, for people.'),
  hint: Type.Optional(text('What to do about it.'))
})

const tap = Type.Object({
  hook: text('Hook.'),
  extension: text('Extension of the tap.'),
  stage: Type.Integer(),
  calls: Type.Integer({ description: 'Calls so far.' }),
  errors: Type.Integer({ description: 'Throws, invalid answers and timeouts.' }),
  answer: words(['passes', 'refuses', 'unknown'], 'What it would answer about the visitor.'),
  reason: Type.Optional(text('Why it would refuse.')),
  retryAfter: Type.Optional(Type.Number({ description: 'Seconds after which it would not refuse.' }))
})

/** What a visitor meets on its way. */
export const WhyView = Type.Object(
  {
    side: words(['server', 'client'], 'End that was asked.'),
    target: Type.Object({
      scheme: Type.Optional(Type.String()),
      host: Type.String(),
      port: Type.Optional(Type.Integer()),
      path: Type.String()
    }),
    reaches: Type.Boolean({ description: 'Whether no step failed.' }),
    steps: Type.Array(step),
    proxies: Type.Array(Type.Object({ id: Type.String(), name: Type.String(), kind: Type.String() })),
    taps: Type.Array(tap),
    refusals: Type.Array(
      Type.Object({
        time: Type.Integer({ description: 'Milliseconds since the epoch.' }),
        subject: text('Address of the visitor.'),
        code: text('Error code.'),
        message: text('What happened.')
      }),
      { description: 'Visitors of these proxies that were refused, the newest first.' }
    )
  },
  { $id: 'Why' }
)
export type WhyView = Static<typeof WhyView>

/** Why a visitor is served, or is not. */
export const addWhy = (api: Api, { runtime }: ApiContext): void => {
  api.get(
    '/why',
    {
      schema: {
        tags: ['state'],
        operationId: 'why',
        summary:
          'Why a visitor of a URL, or of host:port, is served or is not: listener, host, proxy, client, taps, service.',
        querystring: Type.Object(
          {
            target: Type.String({ minLength: 1, maxLength: 2048, description: '`https://host/path` or `host:port`.' }),
            from: Type.Optional(
              Type.String({ maxLength: 64, description: 'Address of the visitor. Default: taps are not asked.' })
            ),
            probe: Type.Boolean({
              default: false,
              description: 'Whether a connection to the service is opened; needs the scope operate. Default: false.'
            })
          },
          { additionalProperties: false }
        ),
        response: { 200: WhyView }
      }
    },
    async ({ query: { target, from, probe }, caller }) => {
      if (probe && !allows(caller, 'operate'))
        throw new HttpError(403, 'admin.forbidden', 'a connection to the service needs the scope operate')
      return runtime.explain(target, { probe, ...(from === undefined ? {} : { from }) }) as Promise<WhyView>
    }
  )
}
