import { type Link, type Side, silentLog, type StreamLink, type Transport } from '@rystra/plugin'
import { extensionKit, MemoryNetwork, MemoryStreamsNetwork, memoryTransport, transportKit } from '../src/index.js'
import { simpleMuxer } from './simple-muxer.js'

const transport = memoryTransport()

transportKit({ transport: transport(), network: 'other' }, { title: 'transport-memory' })
extensionKit({ use: transport() }, { title: 'transport-memory as an extension' })

const streams = new MemoryStreamsNetwork()
transportKit(
  {
    transport: memoryTransport(streams)(),
    links: 'streams',
    datagrams: true,
    network: 'other',
    cut: () => streams.cut()
  },
  { title: 'transport-memory with streams and messages' }
)

const lossy = new MemoryStreamsNetwork({ datagrams: { loss: 300, shuffle: true, queue: 20, maxSize: 1_100 } })
transportKit(
  { transport: () => lossy, links: 'streams', datagrams: true, network: 'other', cut: () => lossy.cut() },
  { title: 'transport-memory that loses messages' }
)

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

/** As http2 is: it multiplexes by itself, over one connection. */
const multiplexing = (network: MemoryNetwork): Transport => ({
  name: 'multiplexing',
  listen: (options, onLink, signal) => network.listen(options, (link) => onLink(streamsOf(link, 'server')), signal),
  dial: async (options, signal) => streamsOf(await network.dial(options, signal), 'client')
})

const below = new MemoryNetwork()
transportKit(
  { transport: () => multiplexing(below), links: 'streams', network: 'other', cut: () => below.cut() },
  { title: 'a transport that multiplexes by itself' }
)
