import { freePort } from '@rystra/testkit'
import { expect } from 'chai'
import { createClient, type Client } from '@rystra/client'
import { defineExtension } from '@rystra/plugin'
import proxyPrivate from '@rystra/proxy-private'
import { cleanUp, clientConfig, later, listens, portOf, preset, startServer } from './tunnel.js'

const way = (bind: number): object => ({ name: 'way', of: 'db', secret: 'a secret of some length', bind })

/** An extension whose set-up or start waits until it is released. */
const slow = (name: string) => {
  let go = (): void => {}
  let reached = (): void => {}
  const gate = new Promise<void>((resolve) => (go = resolve))
  const there = new Promise<void>((resolve) => (reached = resolve))
  const use = defineExtension({
    name,
    setup: () => ({
      start: async () => {
        reached()
        await gate
      }
    })
  })()
  return { use, go, there }
}

describe('a client with ways in that is stopped', () => {
  afterEach(cleanUp)

  const make = async (server: number, bind: number | undefined, uses: unknown[] = []): Promise<Client> => {
    const visitors = bind === undefined ? [] : [way(bind)]
    const made = await createClient(
      clientConfig(server, [], { forwards: visitors as never }, [proxyPrivate(), ...(uses as never[])]),
      { preset }
    )
    later(() => made.stop({ drain: 0 }))
    return made
  }

  it('while it starts leaves no port open', async () => {
    const server = await startServer({}, [proxyPrivate()])
    const { use, go, there } = slow('slow')
    const port = await freePort()
    const client = await make(portOf(server), port, [use])
    const starting = client.start().catch((error: unknown) => error)
    await there
    const stopping = client.stop({ drain: 0 })
    go()
    expect(await starting).to.be.an('error')
    await stopping
    expect(await listens(port)).to.equal(false)
  })

  it('while it reloads leaves no port open', async () => {
    const server = await startServer({}, [proxyPrivate()])
    const client = await make(portOf(server), undefined)
    await client.start()
    const { use, go, there } = slow('slow')
    const port = await freePort()
    const next = clientConfig(portOf(server), [], { forwards: [way(port)] as never }, [proxyPrivate(), use])
    const reloading = client.reload(next).catch((error: unknown) => error)
    await there
    const stopping = client.stop({ drain: 0 })
    go()
    await reloading
    await stopping
    expect(await listens(port)).to.equal(false)
  })

  it('opens no way in and publishes nothing any more', async () => {
    const server = await startServer({}, [proxyPrivate()])
    const client = await make(portOf(server), undefined)
    await client.start()
    await client.stop({ drain: 0 })
    const port = await freePort()
    const refusal = { code: 'session.closing', side: 'client' }
    const code = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)
    expect(await code(client.visit({ kind: 'private', ...way(port) } as never))).to.include(refusal)
    expect(await listens(port)).to.equal(false)
    expect(await code(client.publish({ name: 'x', kind: 'tcp', local: 1 }))).to.include(refusal)
    expect(await code(client.update({ name: 'x', kind: 'tcp', local: 1 }))).to.include(refusal)
  })
})
