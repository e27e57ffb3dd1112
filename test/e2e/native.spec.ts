import { once } from 'node:events'
import {
  type ByteLink,
  defineExtension,
  type Link,
  type Registries,
  type Side,
  silentLog,
  type StreamLink,
  type Transport
} from '@rystra/plugin'
import { expect } from 'chai'
import {
  cleanUp,
  echo,
  later,
  portOf,
  startClient,
  startServer,
  startService,
  until,
  visit,
  visitorPort
} from './tunnel.js'

const noLinks = {
  onLink: undefined,
  onRequest: undefined,
  request: () => {},
  dial: () => Promise.reject(new Error('there are no data links'))
}

/**
 * A transport whose links carry streams, as quic and http2 do. `opened` gets what is below each link of the
 * server.
 */
const multiplexing = (opened: ByteLink[] = [], made: (transport: Transport) => void = () => {}) => {
  const wrap = ({ muxers }: Registries, link: Link, side: Side): StreamLink => {
    if (link.kind !== 'bytes') throw new Error('tcp carries bytes')
    if (side === 'server') opened.push(link)
    return muxers.get('yamux').wrap(link, side, { log: silentLog, links: noLinks })
  }
  return defineExtension({
    name: 'transport-multiplexing',
    requires: ['transport:tcp', 'muxer:yamux'],
    setup({ registries }) {
      const tcp = () => registries.transports.get('tcp')
      const transport: Transport = {
        name: 'multiplexing',
        listen: (options, onLink, signal, host) =>
          tcp().listen(options, (link) => onLink(wrap(registries, link, 'server')), signal, host),
        dial: async (options, signal) => wrap(registries, await tcp().dial(options, signal), 'client')
      }
      registries.transports.add(transport)
      made(transport)
    }
  })()
}

const listen = { listen: [{ transport: 'multiplexing', host: '127.0.0.1', port: 0 }] }
const to = (port: number) => ({ connect: { transport: 'multiplexing', host: '127.0.0.1', port } })

describe('a transport that multiplexes by itself', () => {
  afterEach(cleanUp)

  it('carries a session and its streams without a muxer', async () => {
    const server = await startServer(listen, [multiplexing()])
    const proxies = [{ name: 'svc', kind: 'tcp', local: `127.0.0.1:${await startService(echo)}` }]
    const client = await startClient(portOf(server), proxies, to(portOf(server)), [multiplexing()])
    expect(client.session).to.include({ transport: 'multiplexing', muxer: 'native' })
    const visitor = await visit(visitorPort(client, 'svc'))
    visitor.write('there and back')
    const [bytes] = await once(visitor, 'data')
    expect(String(bytes)).to.equal('there and back')
  })

  it('keeps no link of a stranger who was refused and stays', async () => {
    const opened: ByteLink[] = []
    let dial: Transport['dial'] | undefined
    const server = await startServer(listen, [multiplexing(opened, (transport) => (dial = transport.dial))])
    const address = { transport: 'multiplexing', host: '127.0.0.1', port: portOf(server) }
    const link = await dial?.(address, new AbortController().signal)
    if (link?.kind !== 'streams') throw new Error('no link of streams')
    later(() => link.destroy())
    const refused = once(server, 'refused')
    const stream = await link.open()
    stream.on('error', () => {})
    stream.write('nobody you know')
    await refused
    await until(() => opened[0]?.duplex.destroyed === true)
  })
})
