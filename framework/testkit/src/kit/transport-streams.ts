import { endChecks } from './link-ends.js'
import { flowChecks } from './link-flow.js'
import { transportCase as it, withStreams } from './transport-case.js'

/** What transports that multiplex by themselves must do: the same as muxers. */
export const streamCases = [...flowChecks, ...endChecks].map(({ name, run, cuts }) =>
  it(name, async (world, scope) => run(await world.linked(cuts), scope), withStreams)
)
