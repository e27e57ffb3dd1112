import { type Link, type Side, silentLog, type StreamLink, type Transport } from '@rystra/plugin'
import { extensionKit, MemoryNetwork, memoryTransport, transportKit } from '../src/index.js'
import { simpleMuxer } from './simple-muxer.js'

const transport = memoryTransport()

transportKit({ transport: transport() }, { title: 'transport-memory' })
extensionKit({ use: transport() }, { title: 'transport-memory as an extension' })

const muxer = simpleMuxer()
const links = {
  onLink: undefined,
  onRequest: undefined,
  request: () => {},
  dial: () => Promise.reject(new Error('one link'))
}

const streamsOf = (link: Link, side: Side): StreamLink => {
  if (link.kind !== 'bytes') throw new TypeError('not a link of bytes')
  return muxer.wrap(link, side, { log: silentLog, links })
}

/** As quic and http2 are: it multiplexes by itself. */
const multiplexing = (): Transport => {
  const network = new MemoryNetwork()
  return {
    name: 'multiplexing',
    listen: (options, onLink, signal) => network.listen(options, (link) => onLink(streamsOf(link, 'server')), signal),
    dial: async (options, signal) => streamsOf(await network.dial(options, signal), 'client')
  }
}

const shared = multiplexing()
transportKit({ transport: () => shared }, { title: 'a transport that multiplexes by itself' })
