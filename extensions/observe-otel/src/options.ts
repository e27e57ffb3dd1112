import { type Static, Type } from '@rystra/plugin'

/** Options of the extension, for both ends. */
export const otelOptions = Type.Object(
  {
    visitors: Type.Union([Type.Literal('continue'), Type.Literal('link')], {
      default: 'continue',
      description:
        'What becomes of a trace that a visitor sends: `continue` it, so that the visitor decides whether it is sampled, or begin another one with a `link` to it. Default: continue.'
    }),
    streams: Type.Boolean({
      default: true,
      description: 'Whether there is a span for each stream of kinds that do not speak HTTP. Default: true.'
    }),
    requests: Type.Boolean({
      default: false,
      description:
        'On a client: whether there is a span for each HTTP request. The connection to the service is read for it. Default: false; the server has such spans always.'
    })
  },
  { additionalProperties: false }
)
export type OtelOptions = Static<typeof otelOptions>
