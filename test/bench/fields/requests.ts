import { show } from '../address.js'
import type { Field } from '../field.js'
import { benchHost } from '../host.js'
import { measureRequests } from '../measure-requests.js'
import { directWeb } from '../peers/direct.js'
import { frpWeb } from '../peers/frp.js'
import { nodeProxy } from '../peers/node.js'
import { rystraWeb } from '../peers/rystra.js'

/** Requests to a web service. */
export const requests: Field = {
  name: 'requests',
  measures: ['requests'],
  baseline: directWeb,
  own: rystraWeb,
  others: [nodeProxy, frpWeb],
  open: (load) => load.web.call<number>('listen'),
  async ready(address, _way, load, signal) {
    const task = { address, places: [`${benchHost}/`], connections: 1, milliseconds: 100 }
    const end = performance.now() + 15_000
    for (;;) {
      signal.throwIfAborted()
      try {
        await load.requester.call('ask', task)
        return
      } catch (error) {
        if (performance.now() > end) {
          throw new Error(`no answer came through ${show(address)}: ${(error as Error).message}`, { cause: error })
        }
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
  },
  once: ({ load, way, options, scratch, keep, attempt }) =>
    attempt('requests', async () => {
      const { perSecond, p50, p99, cpu } = await measureRequests(load, way, options, scratch)
      keep('requests', perSecond)
      keep('requestP50', p50)
      keep('requestP99', p99)
      keep('requestCpu', cpu)
    })
}
