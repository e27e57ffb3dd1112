import assert from 'node:assert/strict'
import { endChecks } from './link-ends.js'
import { flowChecks } from './link-flow.js'
import { muxed, sides } from './linked.js'
import { transportCase as it, withStreams } from './transport-case.js'

const alike = [...flowChecks, ...endChecks].map(({ name, run, cuts }) =>
  it(name, async (world, scope) => run(await world.linked(cuts), scope), withStreams)
)

const own = [
  it(
    'does not count the stream that the client opens first',
    async (world) => {
      const linked = await world.linked()
      for (const [count, opener] of (['client', 'server', 'client'] as const).entries()) {
        await linked.open(opener)
        for (const side of sides) {
          const { streams } = muxed(linked.end(side))
          assert.equal(
            streams,
            count,
            `the ${side} counts ${streams} streams beside that for control messages, not ${count}`
          )
        }
      }
    },
    withStreams
  )
]

/** What transports that multiplex by themselves must do: the same as muxers, and they have no control stream of their own. */
export const streamCases = [...alike, ...own]

/** Cases that cut the link. A transport over UDP notices a cut by silence: these alone need a short idle timeout. */
export const CUT_CASES: readonly string[] = [...flowChecks, ...endChecks]
  .filter(({ cuts }) => cuts)
  .map(({ name }) => name)
