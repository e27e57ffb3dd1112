import type { ProxySpec, RuntimeEvent, SessionInfo, Side } from '@rystra/plugin'
import { randomUUID } from 'node:crypto'
import type { NotificationType } from './options.js'

/** What a target is told. Holds no secrets: of a proxy its name, kind and address. */
export interface Notification {
  /** The same in each attempt, so that a receiver can leave out what it has seen. */
  readonly id: string
  readonly type: NotificationType
  /** ISO 8601, UTC. */
  readonly time: string
  /** The end that it is about. */
  readonly side: Side
  /** What it is about: `client home/nas`, `proxy home/nas/ssh`. Notifications of one subject come in their order. */
  readonly subject: string
  readonly data: Readonly<Record<string, unknown>>
}

/** At most so many changes of a reload are listed. */
const MAX_ITEMS = 100

const ofSession = ({ id, client, identity, peer, transport }: SessionInfo): Record<string, unknown> => ({
  session: id,
  client: client.id,
  identity: identity.id,
  peer: peer.address,
  transport
})

const clientOf = (session: SessionInfo | undefined): string =>
  session === undefined ? 'local' : `${session.identity.id}/${session.client.id}`

const ofProxy = (spec: ProxySpec, address: string, session: SessionInfo | undefined): Record<string, unknown> => ({
  proxy: spec.name,
  kind: spec.kind,
  address,
  ...(session === undefined ? {} : { client: session.client.id, identity: session.identity.id })
})

type Content = Pick<Notification, 'type' | 'subject' | 'data'>

/** What an event is to a target; nothing for those that are not notified. */
const contentOf = (event: RuntimeEvent): Content | undefined => {
  switch (event.type) {
    case 'session.opened':
      return { type: 'client.online', subject: `client ${clientOf(event.session)}`, data: ofSession(event.session) }
    case 'session.closed': {
      const { session, error } = event
      const reason = error === undefined ? {} : { code: error.code, message: error.message }
      return {
        type: 'client.offline',
        subject: `client ${clientOf(session)}`,
        data: { ...ofSession(session), ...reason }
      }
    }
    case 'proxy.published':
    case 'proxy.gone': {
      const { type, spec, address, session } = event
      const reason = type === 'proxy.gone' && event.reason !== undefined ? { reason: event.reason } : {}
      const error =
        type === 'proxy.gone' && event.error !== undefined
          ? { code: event.error.code, message: event.error.message }
          : {}
      const subject = `proxy ${clientOf(session)}/${spec.name}`
      return { type, subject, data: { ...ofProxy(spec, address, session), ...reason, ...error } }
    }
    case 'certificate.expiring': {
      const { host, expires, days } = event
      const data = { host, expires: new Date(expires).toISOString(), days }
      return { type: 'certificate.expiring', subject: `certificate ${host}`, data }
    }
    case 'certificate.failed': {
      const { host, error, retryAt } = event
      const data = { host, code: error.code, message: error.message, retryAt: new Date(retryAt).toISOString() }
      return { type: 'certificate.failed', subject: `certificate ${host}`, data }
    }
    case 'reload.done': {
      const { revision, added, kept, removed, items, duration } = event.report
      const changes = items.slice(0, MAX_ITEMS).map(({ action, subject, name }) => ({ action, subject, name }))
      const data = { revision, extensions: { added, kept, removed }, changes, changed: items.length, duration }
      return { type: 'reload.done', subject: 'reload', data }
    }
    case 'reload.failed': {
      const { code, message } = event.error
      return { type: 'reload.failed', subject: 'reload', data: { code, message } }
    }
    default:
      return undefined
  }
}

/** Completes a notification. */
export const makeNotification = (content: Content, side: Side, time: number): Notification => ({
  id: randomUUID(),
  ...content,
  time: new Date(time).toISOString(),
  side
})

/** The notification of an event, if there is one. */
export const notificationOf = (event: RuntimeEvent, side: Side): Notification | undefined => {
  const content = contentOf(event)
  return content === undefined ? undefined : makeNotification(content, side, event.time)
}
