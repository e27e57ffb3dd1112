import { homedir } from 'node:os'
import { plainText } from '../admin/text.js'
import { clockCheck } from './clock.js'
import { CHECK_TIMEOUT_MS, type Finding, type Outcome } from './finding.js'
import { listenCheck } from './listen.js'
import { configCheck, limitsCheck, socketCheck, stateCheck, versionsCheck } from './local.js'
import { dnsCheck, environmentCheck, portCheck } from './network.js'
import { runChecks } from './run-checks.js'
import { runningCheck } from './running.js'
import { type Subject, subjectOf } from './subject.js'
import { tlsCheck, tunnelCheck } from './tunnel.js'
import { withoutSecrets } from './without-secrets.js'

/** What was found; nothing of it is secret. */
export interface Report {
  /** ISO 8601. */
  readonly time: string
  /** The worst of all. */
  readonly outcome: Outcome
  readonly findings: readonly Finding[]
}

/** A report, and what it is about. */
export interface Examined {
  readonly report: Report
  readonly subject: Subject
  /** Whether a check is still under way. */
  readonly late: boolean
}

const worst = (findings: readonly Finding[]): Outcome =>
  (['fail', 'warn', 'ok'] as const).find((outcome) => findings.some((one) => one.outcome === outcome)) ?? 'skip'

/** Examines what is in a folder. Changes nothing. Takes no longer than the longest check may. */
export const examine = async (
  cwd: string,
  file?: string,
  env: NodeJS.ProcessEnv = process.env,
  timeout = CHECK_TIMEOUT_MS
): Promise<Examined> => {
  const subject = await subjectOf(cwd, file, env)
  const make = [
    configCheck,
    versionsCheck,
    stateCheck,
    socketCheck,
    runningCheck,
    limitsCheck,
    listenCheck,
    environmentCheck,
    dnsCheck,
    portCheck,
    tlsCheck,
    tunnelCheck,
    clockCheck
  ]
  const { findings, late } = await runChecks(
    make.map((check) => check(subject)),
    timeout
  )
  const clean = withoutSecrets(env, homedir())
  const shown = findings.map(({ text, hint, ...one }) => ({
    ...one,
    text: plainText(clean(text)),
    ...(hint === undefined ? {} : { hint: plainText(clean(hint)) })
  }))
  return { report: { time: new Date().toISOString(), outcome: worst(shown), findings: shown }, subject, late }
}

const marks = { ok: 'ok  ', warn: 'warn', fail: 'FAIL', skip: '-   ' } as const
const ends = {
  ok: 'Nothing is wrong.',
  warn: 'Nothing failed; see the warnings.',
  fail: 'Something failed: begin with the first that did.',
  skip: 'Nothing was found to check.'
} as const

/** The report for people, and for pasting. */
export const reportText = ({ time, outcome, findings }: Report): string =>
  [
    `rystra doctor, ${time}`,
    ...findings.flatMap(({ check, outcome: one, text, hint }) => [
      `${marks[one]} ${check.padEnd(13)}${text}`,
      ...(hint === undefined ? [] : [`${' '.repeat(18)}→ ${hint}`])
    ]),
    ends[outcome]
  ].join('\n')
