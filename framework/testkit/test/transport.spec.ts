import { extensionKit, MemoryNetwork, MemoryStreamsNetwork, memoryTransport, transportKit } from '../src/index.js'
import { multiplexing } from './multiplexing.js'
import { simpleMuxer } from './simple-muxer.js'
import { tinySecure } from './tiny-secure.js'

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

// Beside the whole kit above: what a loss changes.
const messages = transportKit.cases.map(({ name }) => name).filter((name) => /message|many links|flood/.test(name))
const lossy = new MemoryStreamsNetwork({ datagrams: { loss: 300, shuffle: true, queue: 20, maxSize: 1_100 } })
transportKit(
  { transport: () => lossy, links: 'streams', datagrams: true, network: 'other', cut: () => lossy.cut() },
  { title: 'transport-memory that loses messages', only: messages }
)

const below = new MemoryNetwork()
transportKit(
  {
    transport: () => multiplexing(below, simpleMuxer(undefined, true)),
    links: 'streams',
    network: 'other',
    cut: () => below.cut()
  },
  { title: 'a transport that multiplexes by itself' }
)

transportKit(
  { transport: () => tinySecure(), secure: true },
  { title: 'a transport over TCP that has a handshake and hides what it carries' }
)
