import { type Described, jsonSchema, type JsonSchema, loadConfig } from '@rystra/config'
import type { ExtensionEntry } from '@rystra/kernel'
import { defaultsOf, type OptionDefault } from '../edit/index.js'
import { planExtensions, provisionSide, sidesOf } from '../provision.js'
import { errorJson, type ReportedError } from '../report.js'

/** What the parent asks for. */
export interface ProbeRequest {
  readonly config: string
  /** Beside those of the configuration. */
  readonly add?: ExtensionEntry
  /** Its options are reported. */
  readonly about?: string
}

/** What is found out. */
export interface ProbeReport {
  readonly extension?: {
    readonly name: string
    readonly defaults: readonly OptionDefault[]
    readonly schema: JsonSchema
    readonly registers: readonly string[]
    readonly taps: readonly string[]
  }
}

/** An answer to the parent. */
export type ProbeAnswer = { readonly report: ProbeReport } | { readonly error: ReportedError }

const probe = async ({ config: file, add, about }: ProbeRequest): Promise<ProbeReport> => {
  const loaded = await loadConfig({ file })
  const entries = [...(loaded.config.extensions as ExtensionEntry[]), ...(add === undefined ? [] : [add])]
  const uses = await planExtensions(entries, loaded.dir)
  const sides = sidesOf(loaded.config)
  const halves = []
  for (const side of sides) halves.push(await provisionSide(loaded, uses, side))
  const use = uses.findLast(({ written }) => written === about)
  if (use === undefined) return {}
  const { definition } = use.extension
  const name = use.name ?? definition.name
  const seen = halves.flatMap(({ inspection }) => inspection.extensions.filter((extension) => extension.name === name))
  const described: Described = { use: use.written, extension: use.extension }
  return {
    extension: {
      name,
      defaults: definition.options === undefined ? [] : defaultsOf(definition.options),
      schema: jsonSchema([described]),
      registers: [...new Set(seen.flatMap(({ registers }) => registers))],
      taps: [...new Set(seen.flatMap(({ taps }) => taps.map(({ hook }) => hook)))]
    }
  }
}

/** Not inherited from an extension that replaces `process.send`. */
const send = process.send?.bind(process)

process.once('message', (request) => {
  const answer = (message: ProbeAnswer): void => {
    // Whatever an extension left running does not matter any more.
    send?.(message, undefined, undefined, () => process.exit(0))
  }
  probe(request as ProbeRequest).then(
    (report) => answer({ report }),
    (error: unknown) => answer({ error: errorJson(error) })
  )
})
send?.('ready')
