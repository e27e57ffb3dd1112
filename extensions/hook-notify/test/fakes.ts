import type { Attempt, Target } from '../src/delivery.js'
import { makeNotification, type Notification } from '../src/notification.js'

/** A notification that can be told from others. */
export const about = (subject: string, n: number): Notification =>
  makeNotification({ type: 'client.online', subject, data: { n } }, 'server', 0)

interface Sent {
  readonly subject: string
  readonly n: unknown
  readonly lost: number
  /** Ends the attempt. */
  answer(attempt: Attempt): Promise<void>
}

/** A target whose attempts the test ends. */
export class SlowTarget implements Target {
  readonly name = 'slow'
  readonly sent: Sent[] = []
  /** Ends each attempt at once, if set. */
  reply: Attempt | undefined

  send({ subject, data }: Notification, lost: number, signal: AbortSignal): Promise<Attempt> {
    return new Promise((resolve) => {
      const aborted = (): void => resolve({ ok: false, retry: true, reason: 'aborted' })
      const end = (attempt: Attempt): void => {
        signal.removeEventListener('abort', aborted)
        resolve(attempt)
      }
      const answer = (attempt: Attempt): Promise<void> => {
        end(attempt)
        return new Promise((done) => setImmediate(done))
      }
      signal.addEventListener('abort', aborted, { once: true })
      this.sent.push({ subject, n: data['n'], lost, answer })
      if (this.reply !== undefined) end(this.reply)
    })
  }

  get numbers(): unknown[] {
    return this.sent.map(({ n }) => n)
  }
}
