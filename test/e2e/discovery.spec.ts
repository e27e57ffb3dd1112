import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import authToken from '@rystra/auth-token'
import discoveryMdns from '@rystra/discovery-mdns'
import {
  type Announcement,
  defineExtension,
  type ExtensionUse,
  type FoundServer,
  type RystraError
} from '@rystra/plugin'
import { createServer } from '@rystra/server'
import { setUpExtension } from '@rystra/testkit'
import transportTls from '@rystra/transport-tls'
import { expect } from 'chai'
import {
  cleanUp,
  echo,
  later,
  makeClient,
  portOf,
  preset,
  startClient,
  startServer,
  startService,
  visit,
  visitorPort
} from './tunnel.js'

/** A discovery that finds these, one after the other, and nothing more. */
const finds = (...servers: Partial<FoundServer>[]): ExtensionUse =>
  defineExtension({
    name: 'discovery-list',
    setup({ registries }) {
      registries.discoveries.add({
        name: 'list',
        async *find(name) {
          for (const each of servers) yield { name, host: '127.0.0.1', transport: 'tcp', port: 1, ...each }
        }
      })
    }
  })()

const connect = { transport: 'tcp', discover: 'home', muxer: 'yamux' } as const

/** A port that hangs up on each. */
const rude = (): Promise<number> => startService((socket) => socket.destroy())

describe('a client that looks for its server', () => {
  afterEach(cleanUp)

  it('passes over servers that fail to authenticate, and serves through the one that does', async () => {
    const service = await startService(echo)
    const server = await startServer()
    const other = await createServer(
      {
        extensions: [authToken({ tokens: [{ identity: 'home', token: 'a-token-of-another-server' }] })],
        server: { listen: [{ transport: 'tcp', host: '127.0.0.1', port: 0 }] }
      },
      { preset }
    )
    await other.start()
    later(() => other.stop({ drain: 0 }))
    const proxies = [{ name: 'echo', kind: 'tcp', local: `127.0.0.1:${service}`, port: 0 }]
    const others = [{ port: await rude() }, { port: portOf(other) }, { port: portOf(server), transport: 'tls' }]
    const found = finds(...others, { port: portOf(server) })
    const client = await startClient(0, proxies, { connect }, [found])
    const visitor = await visit(visitorPort(client, 'echo'))
    visitor.write('hello')
    expect(String((await once(visitor, 'data'))[0])).equal('hello')
  })

  it('does not dial those that announce another fingerprint than the pinned one', async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'rystra-discovery-'))
    later(() => rmSync(dir, { recursive: true }))
    const listen = [{ transport: 'tls', host: '127.0.0.1', port: 0 }]
    const server = await startServer({ listen }, [transportTls()], { stateDir: dir })
    const fingerprint = server.listening[0]?.join?.['fingerprint'] as string
    let dialed = 0
    const wrong = await startService((socket) => {
      dialed++
      socket.destroy()
    })
    const found = finds(
      { transport: 'tls', port: wrong, fingerprint: 'ab'.repeat(32) },
      { transport: 'tls', port: portOf(server), fingerprint: fingerprint.toUpperCase() }
    )
    const client = await startClient(0, [], { connect: { ...connect, transport: 'tls', fingerprint } }, [
      transportTls(),
      found
    ])
    expect(client.session?.peer.port).equal(portOf(server))
    expect(dialed).equal(0)
  })

  it('says that no server was found, with the last error, and tries again', async () => {
    const client = await makeClient(0, [], { connect, reconnect: { attempts: 1, min: 1, max: 1 } }, [
      finds({ port: await rude() })
    ])
    const error: RystraError = await client.start().then(
      () => expect.fail('it connected'),
      (failed) => failed
    )
    expect(error.code).equal('discovery.not-found')
    expect(error.retryable).equal(true)
    expect(error.message).to.match(/home: the last that was found failed/)
  })

  it('needs a discovery', async () => {
    const failed = await makeClient(0, [], { connect }).catch((error: RystraError) => error)
    expect(String(failed)).to.match(/client\.connect\.discover.*a registered discovery/)
  })

  it('finds it by mDNS', async function () {
    const probe = createSocket({ type: 'udp4', reuseAddr: true })
    later(() => probe.close())
    probe.bind(0, '0.0.0.0')
    await once(probe, 'listening')
    const { port } = probe.address()
    const network = { interface: '127.0.0.1', port }
    try {
      probe.addMembership('224.0.0.251', network.interface)
    } catch {
      // No multicast over loopback here: the extension's own tests have a stand-in.
      this.skip()
    }
    const server = await startServer()
    const announcement: Announcement = { name: 'home', transport: 'tcp', port: portOf(server) }
    const announcer = setUpExtension(discoveryMdns({ ...network, announce: [announcement] }), 'server')
    later(() => announcer.stop())
    await announcer.start()
    const client = await startClient(0, [], { connect }, [discoveryMdns(network)])
    expect(client.session?.peer.port).equal(portOf(server))
  })
})
