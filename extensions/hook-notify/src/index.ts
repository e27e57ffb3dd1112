import { checkUrl } from '@rystra/address'
import {
  background,
  adminRoute,
  defineExtension,
  type Lifecycle,
  RystraError,
  type Runtime,
  type RuntimeEvent
} from '@rystra/plugin'
import { certificatesIn, expiringIn } from './certificates.js'
import { Command } from './command.js'
import { Delivery, type Target } from './delivery.js'
import { makeNotification, type Notification, notificationOf } from './notification.js'
import { type NotificationType, notifyOptions, withDefaults } from './options.js'
import { RefusalWindow } from './refusals.js'
import { Webhook } from './webhook.js'

export type { Notification } from './notification.js'
export type { NotificationType, NotifyOptions } from './options.js'
export { signatureOf } from './webhook.js'

const DAY_MS = 24 * 60 * 60 * 1000
/** Time that notifications get to be delivered at a stop. */
const STOP_TIMEOUT_MS = 2000

const targetOf = (options: ReturnType<typeof withDefaults>, dir: string): Target => {
  if ('command' in options) return new Command(options, dir)
  checkUrl(options.webhook, { schemes: ['http', 'https'], example: 'https://host/path' }, 'hook-notify: webhook')
  try {
    return new Webhook(options)
  } catch (cause) {
    throw new RystraError('extension.options', { detail: 'a webhook is not a valid URL', cause })
  }
}

/** Of the instances that notify: what pauses it, by name. A reload leaves the old one beside its successor until it is drained. */
const active = new WeakMap<Runtime, Map<string, () => void>>()

const activeOf = (runtime: Runtime): Map<string, () => void> => {
  const there = active.get(runtime) ?? new Map<string, () => void>()
  active.set(runtime, there)
  return there
}

interface Route {
  readonly name: string
  /** Notifications so far, by outcome. */
  readonly counts: Record<'sent' | 'failed' | 'lost', number>
  readonly events: ReadonlySet<NotificationType> | undefined
  readonly delivery: Delivery
}

/** Tells webhooks and commands what happens at this end. */
export default defineExtension({
  name: 'hook-notify',
  options: notifyOptions,
  setup({ name, hooks, options, registries, runtime, role, dir, log, clock, metrics }): Lifecycle {
    const counter = metrics.counter('rystra_notify_total', 'Notifications by target and outcome.')
    const routes = options.targets.map((written): Route => {
      const settings = withDefaults(written)
      const target = targetOf(settings, dir)
      const { attempts, queue, events } = settings
      const counts = { sent: 0, failed: 0, lost: 0 }
      const counted = (outcome: keyof typeof counts): void => {
        counts[outcome]++
        counter.add(1, { target: target.name, outcome })
      }
      const delivery = new Delivery({ target, attempts, queue, clock, log, counted })
      return { name: target.name, counts, events: events === undefined ? undefined : new Set(events), delivery }
    })
    registries.adminRoutes.add({
      name: 'notify',
      routes: [
        adminRoute({
          method: 'GET',
          path: '/targets',
          summary: 'Targets of notifications, with what was sent, failed, lost, and waits.',
          handle: () => routes.map((route) => ({ name: route.name, ...route.counts, waiting: route.delivery.size }))
        })
      ]
    })
    const notify = (notification: Notification): void => {
      for (const { events, delivery } of routes) if (events?.has(notification.type) ?? true) delivery.add(notification)
    }
    const wanted = (type: NotificationType): boolean => routes.some(({ events }) => events?.has(type) ?? true)

    const refusals = new RefusalWindow(options.refusals)
    const onEvent = (event: RuntimeEvent): void => {
      if (event.type === 'refused') {
        const exceeded = refusals.add(event.error.code, 1 + (event.more ?? 0), event.time)
        if (exceeded === undefined) return
        notify(
          makeNotification({ type: 'refusals.exceeded', subject: 'refusals', data: { ...exceeded } }, role, event.time)
        )
        return
      }
      const notification = notificationOf(event, role)
      if (notification !== undefined) notify(notification)
    }

    let cancel = (): void => {}
    let unsubscribe = (): void => {}
    let stopped = false
    const { before, files } = options.certificates
    const check = async (): Promise<void> => {
      const all = [...files, ...certificatesIn(runtime.control.config())]
      for (const expiring of await expiringIn(all, dir, before, clock.now())) {
        const content = {
          type: 'certificate.expiring',
          subject: `certificate ${expiring.file}`,
          data: { ...expiring }
        } as const
        notify(makeNotification(content, role, clock.now()))
      }
    }
    const watch = (): void => {
      background(check(), log, 'certificates were not checked')
      cancel()
      cancel = clock.after(DAY_MS, watch)
    }

    const instances = activeOf(runtime)
    const pause = (): void => {
      cancel()
      unsubscribe()
      if (instances.get(name) === pause) instances.delete(name)
    }
    // Also of an instance that was replaced before, when the change is taken back.
    const takeOver = (): void => {
      if (stopped || instances.get(name) === pause) return
      instances.get(name)?.()
      instances.set(name, pause)
      unsubscribe = runtime.events.subscribe(onEvent)
      if (wanted('certificate.expiring')) watch()
    }
    // Not before: the predecessor goes on when the reload fails.
    hooks.onReload.tap(takeOver)

    return {
      start() {
        if (!instances.has(name)) takeOver()
      },
      async stop() {
        stopped = true
        pause()
        await Promise.all(routes.map(({ delivery }) => delivery.stop(STOP_TIMEOUT_MS)))
      }
    }
  }
})
