import { bytesText, plainText, timeText } from './text.js'

type Data = Readonly<Record<string, unknown>>

const at = (data: Data, ...path: readonly string[]): string => {
  let value: unknown = data
  for (const name of path) value = (value as Data | undefined)?.[name]
  return typeof value === 'string' ? plainText(value) : typeof value === 'number' ? String(value) : ''
}

const why = (data: Data): string => (at(data, 'error', 'message') === '' ? '' : `: ${at(data, 'error', 'message')}`)

const sentences: Readonly<Record<string, (data: Data) => string>> = {
  'listener.opened': (data) => `listens on ${at(data, 'listener', 'transport')} port ${at(data, 'listener', 'port')}`,
  'listener.closed': (data) => `closed ${at(data, 'listener', 'transport')} port ${at(data, 'listener', 'port')}`,
  'session.opened': (data) =>
    `session of ${at(data, 'session', 'client')} (${at(data, 'session', 'identity')}) from ${at(data, 'session', 'peer')}`,
  'session.closed': (data) => `session of ${at(data, 'session', 'client')} is over${why(data)}`,
  'proxy.published': (data) => `${at(data, 'spec', 'name')} (${at(data, 'spec', 'kind')}) is on ${at(data, 'address')}`,
  'proxy.changed': (data) => `${at(data, 'spec', 'name')} was changed, on ${at(data, 'address')}`,
  'proxy.gone': (data) => `${at(data, 'spec', 'name')} on ${at(data, 'address')} is gone${why(data)}`,
  refused: (data) =>
    `refused a ${at(data, 'what')} of ${at(data, 'subject')}${why(data)}${
      at(data, 'more') === '' ? '' : `, and ${at(data, 'more')} before it`
    }`,
  'reload.done': (data) => `reloaded, revision ${at(data, 'report', 'revision')}`,
  'reload.failed': (data) => `a reload failed${why(data)}`,
  'upgrade.done': (data) => `process ${at(data, 'report', 'pid')} has taken over`,
  'upgrade.failed': (data) => `an upgrade failed${why(data)}`,
  'drain.started': (data) => `drains ${at(data, 'streams')} streams`,
  'drain.done': (data) => `drained, ${at(data, 'streams')} streams were left`,
  'log.level': (data) => `the level of the log is ${at(data, 'level')}`,
  'certificate.issued': (data) => `${at(data, 'host')} has a new certificate`,
  'certificate.failed': (data) => `no certificate for ${at(data, 'host')}${why(data)}`,
  'certificate.expiring': (data) => `the certificate of ${at(data, 'host')} ends in ${at(data, 'days')} days`,
  'stream.opened': (data) => `${at(data, 'stream', 'proxy')}  ${at(data, 'stream', 'visitor')}  connected`,
  'stream.closed': (data) =>
    `${at(data, 'stream', 'proxy')}  ${at(data, 'stream', 'visitor')}  ${at(data, 'stream', 'reason')}  ${bytesText(
      Number(at(data, 'stream', 'bytesToService'))
    )} in, ${bytesText(Number(at(data, 'stream', 'bytesToVisitor')))} out, ${timeText(Number(at(data, 'stream', 'duration')))}`,
  reset: () => 'events before this one are missing'
}

/** One event as a line for people: local time and a sentence. */
export const eventText = (type: string, data: Data): string => {
  const time = typeof data['time'] === 'number' ? new Date(data['time']) : new Date()
  const text = Object.hasOwn(sentences, type) ? sentences[type]?.(data) : type
  const member = at(data, 'member')
  return `${time.toTimeString().slice(0, 8)}  ${member === '' ? '' : `${member}  `}${text ?? type}`
}
