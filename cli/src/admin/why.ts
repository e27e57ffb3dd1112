import type { WhyView } from '@rystra/admin-http'
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { AdminApi } from './admin-api.js'
import { plainText } from './text.js'

/** Milliseconds for a name to be resolved. */
const LOOKUP_TIMEOUT_MS = 3000

type Step = WhyView['steps'][number]

/** Finds the addresses of a host. */
export type Lookup = (host: string) => Promise<readonly { readonly address: string }[]>

const systemLookup: Lookup = (host) => lookup(host, { all: true })

/** What DNS says about a host here; `undefined` for an address. */
export const dnsStep = async (host: string, resolve: Lookup = systemLookup): Promise<Step | undefined> => {
  if (isIP(host) !== 0) return undefined
  const stage = 'dns'
  // RFC 6761, section 6.3: browsers and curl do not ask DNS for these.
  if (/(^|\.)localhost$/.test(host))
    return { stage, outcome: 'ok', text: `${host} is this machine: visitors on others need another name.` }
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${LOOKUP_TIMEOUT_MS / 1000} s`)), LOOKUP_TIMEOUT_MS)
  })
  try {
    const addresses = (await Promise.race([resolve(host), late])).map(({ address }) => address)
    return { stage, outcome: 'ok', text: `${host} has the address ${[...new Set(addresses)].slice(0, 4).join(', ')}.` }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const hint = `add a record A or AAAA for ${host}, or a wildcard for its domain, with the address of the server`
    return { stage, outcome: 'fail', text: `${host} has no address here: ${code ?? message}.`, hint }
  } finally {
    clearTimeout(timer)
  }
}

/** How `why` asks. */
export interface WhyOptions {
  readonly from?: string | undefined
  readonly probe: boolean
}

/** What a visitor meets on its way, from the name on. */
export const why = async (
  api: AdminApi,
  target: string,
  { from, probe }: WhyOptions,
  resolve?: Lookup
): Promise<WhyView> => {
  const query = new URLSearchParams({ target, probe: String(probe), ...(from === undefined ? {} : { from }) })
  const view = await api.request<WhyView>(`/v1/why?${query}`)
  const dns = await dnsStep(view.target.host, resolve)
  if (dns === undefined) return view
  return { ...view, reaches: view.reaches && dns.outcome !== 'fail', steps: [dns, ...view.steps] }
}

const marks = { ok: 'ok  ', warn: 'warn', fail: 'FAIL', skip: '-   ' } as const

const tapText = ({ hook, extension, answer, reason, calls, errors }: WhyView['taps'][number]): string =>
  `    ${hook.padEnd(13)} ${plainText(extension).padEnd(18)} ${answer}${reason === undefined ? '' : `: ${plainText(reason)}`} (${calls} calls${errors === 0 ? '' : `, ${errors} errors`})`

/** The answer for people. */
export const whyText = ({ reaches, steps, taps, refusals }: WhyView): string => {
  const failed = steps.find(({ outcome }) => outcome === 'fail')
  const lines = steps.flatMap(({ stage, outcome, text, hint }) => [
    `${marks[outcome]} ${stage.padEnd(9)}${plainText(text)}`,
    ...(hint === undefined ? [] : [`${' '.repeat(14)}→ ${plainText(hint)}`]),
    ...(stage === 'taps' ? taps.map(tapText) : [])
  ])
  if (refusals.length > 0) lines.push('Refused lately:')
  for (const { time, subject, message } of refusals)
    lines.push(`    ${new Date(time).toISOString()}  ${plainText(subject)}  ${plainText(message)}`)
  lines.push(reaches ? 'A visitor gets through.' : `A visitor does not get through: it ends at ${failed?.stage}.`)
  return lines.join('\n')
}
