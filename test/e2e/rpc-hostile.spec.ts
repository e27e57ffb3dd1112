import { defineExtension, type ChannelOpener, type ExtensionUse } from '@rystra/plugin'
import { Rpc, type RpcSession } from '@rystra/rpc'
import { expect } from 'chai'
import { cuttable } from './cuttable.js'
import { cleanUp, codeOf, otherToken, portOf, startClient, startServer, until } from './tunnel.js'

const world = async (options: ConstructorParameters<typeof Rpc>[0] = {}, extensions: ExtensionUse[] = []) => {
  const onServer = new Rpc(options)
  onServer.handler('ping', () => 'pong')
  const server = await startServer({}, [onServer.extension, ...extensions])
  const join = async (id: string, token?: string, rpc = new Rpc()) => {
    const more = token === undefined ? {} : { token }
    const client = await startClient(portOf(server), [], { id, ...more }, [rpc.extension])
    await until(() => rpc.server.connected)
    return { client, rpc }
  }
  return { onServer, server, join }
}

/** A client without RPC of its own, and what opens channels on its session. */
const attacker = async (port: number, id: string): Promise<ChannelOpener> => {
  let opener: ChannelOpener | undefined
  const spy = defineExtension({
    name: 'spy',
    setup: ({ hooks }) =>
      void hooks.onConnect.tap(({ channels }) => {
        opener = channels
      })
  })
  await startClient(port, [], { id }, [spy()])
  await until(() => opener !== undefined)
  return opener as ChannelOpener
}

const whoami = (name: string): Rpc => new Rpc({ access: [{ name: 'whoami' }] }).handler('whoami', () => name)

describe('RPC and hostile programs', () => {
  afterEach(cleanUp)

  it('no identity takes over the name of another: calls by an id that several have name the identity, or are refused', async () => {
    const { onServer, join } = await world({ relay: [{ from: 'laptop' }] })
    await join('nas', undefined, whoami('real'))
    const { rpc: laptop } = await join('laptop')
    expect(await onServer.client('nas').request('whoami')).to.equal('real')
    await join('nas', otherToken, whoami('false'))
    expect(() => onServer.client('nas')).to.throw(/several identities have a client nas/)
    expect(await onServer.client('nas', { identity: 'home' }).request('whoami')).to.equal('real')
    expect(await onServer.client('nas', { identity: 'office' }).request('whoami')).to.equal('false')
    expect(() => onServer.client('nas', { identity: 'third' })).to.throw(/no client nas/)
    expect(await codeOf(laptop.peer('nas').request('whoami'))).to.equal('rpc.denied')
    expect(await laptop.peer('nas', { identity: 'home' }).request('whoami')).to.equal('real')
  })

  it('a relay rule for one identity leaves the other out, which then makes nothing ambiguous', async () => {
    const { join } = await world({ relay: [{ from: 'laptop', to: 'nas', toIdentity: 'home' }] })
    await join('nas', undefined, whoami('real'))
    await join('nas', otherToken, whoami('false'))
    const { rpc: laptop } = await join('laptop')
    expect(await laptop.peer('nas').request('whoami')).to.equal('real')
    expect(await codeOf(laptop.peer('nas', { identity: 'office' }).request('whoami'))).to.equal('rpc.denied')
  })

  it('a stream that names the session of another program is not taken for one of that program', async () => {
    const { server, join } = await world({ relay: [{ from: 'mallory' }] })
    const victim = new Rpc({ access: [{ relayed: false }, { name: 'harmless' }] })
    let opened = 0
    victim.streamHandler('secret', () => {
      opened += 1
    })
    await join('victim', undefined, victim)
    const mallory = await attacker(portOf(server), 'mallory')
    const details = { kind: 'stream', session: victim.server.id, to: 'victim' }
    const channel = await mallory.openChannel('rpc', { details })
    const over = new Promise<void>((resolve) => {
      channel.stream.onClose = () => resolve()
    })
    const open = Buffer.from(`10000008000000010006${Buffer.from('secret').toString('hex')}`, 'hex')
    channel.stream.write(open, 0, open.length, true)
    channel.stream.read({ onBytes: () => true, onEnd: () => channel.stream.end() })
    await over
    expect(opened).to.equal(0)
    expect(victim.server.connected).to.equal(true)
  })

  it('a thousand channels without a frame cost others nothing, and are gone with their client', async () => {
    const { onServer, server, join } = await world()
    const { rpc } = await join('friend')
    const opener = await attacker(portOf(server), 'mallory')
    const calls = await opener.openChannel('rpc', { details: { kind: 'calls', session: 'bad' } })
    await calls.accepted
    const many = Array.from({ length: 1000 }, () =>
      opener.openChannel('rpc', { details: { kind: 'stream', session: 'bad' } })
    )
    const channels = await Promise.all(many)
    await Promise.all(channels.map(({ accepted }) => accepted))
    expect(await rpc.server.request('ping')).to.equal('pong')
    for (const channel of channels) channel.close()
    calls.close()
    await until(() => [...onServer.sessions()].length === 1)
    expect(await rpc.server.request('ping')).to.equal('pong')
  })

  it('a storm of clients with one id leaves one session, which answers', async () => {
    const { onServer, server } = await world()
    const rpcs = Array.from({ length: 6 }, () => whoami('here'))
    await Promise.allSettled(rpcs.map((rpc) => startClient(portOf(server), [], { id: 'same' }, [rpc.extension])))
    await until(() => [...onServer.sessions()].length === 1 && server.sessions.length === 1)
    expect(await onServer.client('same').request('whoami')).to.equal('here')
  })

  it('a client that is gone while its channel is being admitted leaves nothing behind', async () => {
    let admit = (): void => {}
    const gate = new Promise<void>((resolve) => (admit = resolve))
    let calls = 0
    const closed: string[] = []
    const guard = defineExtension({
      name: 'slow-guard',
      setup: ({ hooks }) => {
        hooks.onOpenChannel.tapPromise(async ({ session }) => {
          if (session.client.id === 'gone') {
            calls += 1
            await gate
          }
        })
        hooks.onCloseChannel.tap(({ session, error }) => void closed.push(`${session.client.id} ${error?.code}`))
      }
    })
    const { onServer, server, join } = await world({}, [guard()])
    const hop = await cuttable(portOf(server))
    await startClient(hop.port, [], { id: 'gone', reconnect: { attempts: 0 } as never }, [new Rpc().extension])
    await until(() => calls === 1)
    hop.cut()
    await until(() => server.sessions.length === 0)
    admit()
    await until(() => closed.length === 1)
    expect([...onServer.sessions()]).to.deep.equal([])
    expect(await codeOf(Promise.resolve().then(() => onServer.client('gone').request('x')))).to.equal('rpc.unavailable')
    const { rpc } = await join('gone')
    expect(await (rpc.server as RpcSession).request('ping')).to.equal('pong')
  })
})
