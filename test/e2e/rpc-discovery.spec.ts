import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import discoveryMdns from '@rystra/discovery-mdns'
import { type Announcement, defineExtension, type ExtensionUse, type FoundServer } from '@rystra/plugin'
import { RpcClient, RpcServer } from '@rystra/rpc'
import { expect } from 'chai'
import { cleanUp, failure, later, startService, token } from './tunnel.js'

const tokens = [{ identity: 'alice', token }]

/** A network in memory: what is announced is found, behind what others answer. */
const network = (...others: Partial<FoundServer>[]): { use: ExtensionUse; announced: Announcement[] } => {
  const announced: Announcement[] = []
  const use = defineExtension({
    name: 'discovery-memory',
    setup({ registries }) {
      registries.discoveries.add({
        name: 'memory',
        announce: async (announcement, signal) => {
          announced.push(announcement)
          signal.addEventListener('abort', () => announced.splice(announced.indexOf(announcement), 1))
        },
        async *find(name, signal) {
          for (const each of others) yield { name, transport: 'tcp', port: 1, host: '127.0.0.1', ...each }
          for (const each of announced) if (each.name === name) yield { ...each, host: '127.0.0.1' }
          if (!signal.aborted) await once(signal, 'abort')
        }
      })
    }
  })()
  return { use, announced }
}

const serve = async (url: string, discovery: ExtensionUse, name = 'AudioService'): Promise<RpcServer> => {
  const builder = RpcServer.builder().bind(url).tokens(tokens).enableDiscovery(name, discovery)
  const server = await builder
    .handler('play', () => 'playing')
    .build()
    .start()
  later(() => server.stop(0))
  return server
}

describe('RPC by the name of a service on the network', () => {
  afterEach(cleanUp)

  for (const transport of ['tcp', 'quic']) {
    it(`finds a server over ${transport}, which is announced while it runs`, async () => {
      const { use, announced } = network()
      const server = await serve(`${transport}://127.0.0.1:0`, use)
      const [address] = server.addresses
      expect(announced).to.deep.include({ name: 'AudioService', transport, port: address?.port, ...address?.join })
      const dial = { ...address?.join }
      const client = await RpcClient.discover('AudioService', { id: 'one', token, dial, discovery: use })
      later(() => client.close())
      expect(await client.request('play')).to.equal('playing')
      await server.stop(0)
      expect(announced).to.deep.equal([])
    })
  }

  it('passes over answers of hosts that are no servers, of other transports, and of transports that do not exist', async () => {
    const silent = await startService(() => {})
    const rude = await startService((socket) => socket.destroy())
    const others = [{ transport: 'carrier-pigeon' }, { transport: 'ws', port: silent }, { port: rude }]
    const { use } = network(...others)
    await serve('tcp://127.0.0.1:0', use)
    const client = await RpcClient.discover('AudioService', { id: 'one', token, discovery: use })
    later(() => client.close())
    expect(await client.request('play')).to.equal('playing')
  })

  it('says that none was found in time', async () => {
    const { use } = network({ transport: 'carrier-pigeon' })
    const error = await failure(RpcClient.discover('AudioService', { token, discovery: use, timeout: 50 }))
    expect(error.code).to.equal('discovery.not-found')
    expect(error.message).to.include('carrier-pigeon')
  })

  it('does not start under a name that cannot be one', async () => {
    const builder = RpcServer.builder().bind('tcp://127.0.0.1:0').tokens(tokens)
    const mdns = discoveryMdns({ interface: '127.0.0.1' })
    const server = builder.enableDiscovery('a\nb', mdns).build()
    expect((await failure(server.start())).code).to.equal('discovery.invalid')
    expect(server.addresses).to.deep.equal([])
  })

  it('finds it by mDNS', async function () {
    const probe = createSocket({ type: 'udp4', reuseAddr: true })
    later(() => probe.close())
    probe.bind(0, '0.0.0.0')
    await once(probe, 'listening')
    const mdns = discoveryMdns({ interface: '127.0.0.1', port: probe.address().port })
    try {
      probe.addMembership('224.0.0.251', '127.0.0.1')
    } catch {
      // No multicast over loopback here: the network in memory above stands in.
      this.skip()
    }
    await serve('tcp://127.0.0.1:0', mdns)
    const client = await RpcClient.discover('AudioService', { id: 'one', token, discovery: mdns })
    later(() => client.close())
    expect(await client.request('play')).to.equal('playing')
  })
})
