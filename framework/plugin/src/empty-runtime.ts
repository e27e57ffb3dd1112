import { RystraError, type Side } from '@rystra/model'
import type { RuntimeControl } from './control.js'
import type { Runtime } from './runtime.js'

const unavailable = (side: Side): RystraError =>
  new RystraError('control.unavailable', { side, detail: 'nothing runs here' })

/** A runtime in which nothing runs, for kernels without an end and for tests. */
export const emptyRuntime = (side: Side): Runtime => {
  const refuse = (): Promise<never> => Promise.reject(unavailable(side))
  const control: RuntimeControl = {
    revision: '',
    config: () => ({}),
    plan: refuse,
    reload: refuse,
    upgrade: refuse,
    drain: () => Promise.resolve({ streams: 0 }),
    logLevel: undefined,
    setLogLevel: () => {
      throw unavailable(side)
    },
    addProxy: refuse,
    removeProxy: refuse
  }
  return {
    side,
    sessions: () => [],
    proxies: () => [],
    streams: () => [],
    listeners: () => [],
    extensions: () => [],
    certificates: () => [],
    session: () => undefined,
    proxy: () => undefined,
    stream: () => undefined,
    stats: () => ({
      since: 0,
      sessions: 0,
      sessionsOpened: 0,
      proxies: 0,
      generation: 0,
      streams: 0,
      opened: 0,
      carriers: 0,
      bytesToService: 0,
      bytesToVisitor: 0,
      connectTimes: { count: 0, sum: 0, last: 0 },
      refused: {}
    }),
    explain: refuse,
    events: { run: '', sequence: 0, since: () => undefined, subscribe: () => () => {}, report: () => {} },
    control
  }
}
