import type {
  CheckedHook,
  ExplainedTap,
  ExplainStep,
  ExtensionInfo,
  Registry,
  StreamInfo,
  TapInfo,
  VisitCheck
} from '@rystra/plugin'

/** Hooks in the way of a visitor, in the order in which it meets them. */
const hooks = ['onRequest', 'onOpenStream', 'onData', 'onResponse']

const isChecked = (hook: string): hook is CheckedHook => hook === 'onOpenStream' || hook === 'onRequest'

const answerOf = (
  { hook, extension }: TapInfo,
  visit: StreamInfo | undefined,
  checks: Registry<VisitCheck>
): Pick<ExplainedTap, 'answer' | 'reason' | 'retryAfter'> => {
  if (visit === undefined || !isChecked(hook) || !checks.has(extension)) return { answer: 'unknown' }
  try {
    const denied = checks.get(extension).check(visit, hook)
    if (denied === undefined) return { answer: 'passes' }
    const { deny: reason, retryAfter } = denied
    return { answer: 'refuses', reason, ...(retryAfter === undefined ? {} : { retryAfter }) }
  } catch (error) {
    return { answer: 'unknown', reason: `its check failed: ${(error as Error).message}` }
  }
}

/** The taps of an extension at one hook are told as one: its check answers for all of them. */
const byExtension = (taps: readonly TapInfo[]): TapInfo[] => {
  const found = new Map<string, TapInfo>()
  for (const tap of taps) {
    const key = `${tap.hook} ${tap.extension}`
    const before = found.get(key)
    const { calls = 0, errors = 0 } = before ?? {}
    found.set(key, { ...(before ?? tap), calls: Math.max(calls, tap.calls), errors: errors + tap.errors })
  }
  return [...found.values()]
}

/** The taps in the way of a visitor, in their order, with what they would answer. */
export const explainTaps = (
  extensions: Iterable<ExtensionInfo>,
  visit: StreamInfo | undefined,
  checks: Registry<VisitCheck>,
  speaksHttp: boolean
): ExplainedTap[] => {
  const taps = [...extensions].flatMap(({ taps: all }) => all)
  const met = hooks
    .filter((hook) => speaksHttp || !/^on(Request|Response)$/.test(hook))
    .flatMap((hook) => taps.filter((tap) => tap.hook === hook).sort((a, b) => a.stage - b.stage))
  return byExtension(met).map((tap) => {
    const { hook, extension, stage, calls, errors } = tap
    return { hook, extension, stage, calls, errors, ...answerOf(tap, visit, checks) }
  })
}

/** What the taps come to. */
export const tapsStep = (taps: readonly ExplainedTap[], from: string | undefined): ExplainStep => {
  const stage = 'taps'
  if (taps.length === 0) return { stage, outcome: 'ok', text: 'No extension checks visitors.' }
  const refusing = taps.find(({ answer }) => answer === 'refuses')
  if (refusing !== undefined) {
    const { extension, hook, reason = '', retryAfter } = refusing
    const until = retryAfter === undefined ? '' : ` for ${retryAfter} s`
    const hint = `change the options of ${extension} in the configuration, and \`rystra reload\``
    return { stage, outcome: 'fail', text: `${extension} refuses ${from} in ${hook}${until}: ${reason}.`, hint }
  }
  const names = [...new Set(taps.map(({ extension }) => extension))].join(', ')
  if (from === undefined) {
    const hint = 'give the address of a visitor with --from'
    return { stage, outcome: 'skip', text: `These check each visitor: ${names}.`, hint }
  }
  const silent = taps.filter(({ answer, hook }) => answer === 'unknown' && isChecked(hook))
  if (silent.length === 0) return { stage, outcome: 'ok', text: `${names}: no refusal of ${from}.` }
  const unknown = [...new Set(silent.map(({ extension }) => extension))].join(', ')
  const hint = 'see the refusals of the past, or the log of the extension'
  return { stage, outcome: 'skip', text: `What ${unknown} would answer about ${from} is not known.`, hint }
}
