import { type Link, type Muxer, type Side, silentLog, type StreamLink, type Transport } from '@rystra/plugin'
import type { MemoryNetwork } from '../src/index.js'

const links = {
  onLink: undefined,
  onRequest: undefined,
  request: () => {},
  dial: () => Promise.reject(new Error('one link'))
}

/** A transport that multiplexes by itself, over one connection, as http2 does: a muxer on links of bytes. */
export const multiplexing = (network: MemoryNetwork, muxer: Muxer): Transport => {
  const streamsOf = (link: Link, side: Side): StreamLink => {
    if (link.kind !== 'bytes') throw new TypeError('not a link of bytes')
    return muxer.wrap(link, side, { log: silentLog, links })
  }
  return {
    name: 'multiplexing',
    listen: (options, onLink, signal) => network.listen(options, (link) => onLink(streamsOf(link, 'server')), signal),
    dial: async (options, signal) => streamsOf(await network.dial(options, signal), 'client')
  }
}
