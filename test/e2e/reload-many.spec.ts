import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type net from 'node:net'
import hookRate from '@rystra/hook-rate'
import { expect } from 'chai'
import {
  cleanUp,
  clientConfig,
  echo,
  portOf,
  serverConfig,
  startClient,
  startServer,
  startService,
  until,
  visit,
  visitorPort
} from './tunnel.js'

const RELOADS = 200
const STREAMS = 8

/** Sends blocks and takes them back, until it is told to stop; resolves to how many bytes came, all of them as they were sent. */
const pumping = (visitor: net.Socket): { bytes: () => number; stop(): Promise<boolean> } => {
  const block = randomBytes(4096)
  let sent = 0
  let came = 0
  let same = true
  let over = false
  const send = (): void => {
    sent += block.length
    visitor.write(block)
  }
  visitor.on('data', (chunk: Buffer) => {
    for (let at = 0; at < chunk.length; ) {
      const from = came % block.length
      const length = Math.min(chunk.length - at, block.length - from)
      same &&= chunk.subarray(at, at + length).equals(block.subarray(from, from + length))
      at += length
      came += length
    }
    if (came === sent && !over) send()
  })
  send()
  return {
    bytes: () => came,
    stop: async () => {
      over = true
      await until(() => came === sent, 'everything has come back')
      return same
    }
  }
}

describe(`${RELOADS} quick reloads of both ends`, () => {
  afterEach(cleanUp)

  it('cut no stream, lose no byte, move no port, and leave nothing behind', async () => {
    const server = await startServer()
    const local = await startService(echo)
    const proxies = [
      { name: 'kept', kind: 'tcp', local },
      { name: 'changed', kind: 'tcp', local }
    ]
    const client = await startClient(portOf(server), proxies)
    const ports = ['kept', 'changed'].map((name) => visitorPort(client, name))
    const sessions = server.sessions
    const pumps: ReturnType<typeof pumping>[] = []
    for (let n = 0; n < STREAMS; n += 1) pumps.push(pumping(await visit(ports[n % 2] as number)))
    for (let n = 0; n < RELOADS; n += 1) {
      const rate = hookRate({ capacity: 1000 + (n % 3) } as never)
      const bytes = pumps.map((pump) => pump.bytes())
      await Promise.all([
        server.reload(serverConfig({ limits: { proxiesPerSession: 100 + (n % 2) } }, n % 2 === 0 ? [] : [rate])),
        client.reload(
          clientConfig(portOf(server), [
            { name: 'kept', kind: 'tcp', local },
            { name: 'changed', kind: 'tcp', local, maxConnections: 1000 + n }
          ])
        )
      ])
      if (n % 20 === 0)
        await until(() => pumps.every((pump, i) => pump.bytes() > (bytes[i] as number)), 'streams go on')
    }
    for (const pump of pumps) expect(await pump.stop()).to.equal(true)
    await until(
      () =>
        client.proxies.length === 2 &&
        client.proxies.every(({ spec }) => spec.name === 'kept' || spec['maxConnections'] === 1000 + RELOADS - 1),
      'the last change is made'
    )
    expect(['kept', 'changed'].map((name) => visitorPort(client, name))).to.deep.equal(ports)
    expect(server.sessions).to.deep.equal(sessions)
    expect([...server.runtime.streams()]).to.have.length(STREAMS)
    // What began in the first generation holds it; those in between are gone.
    for (const { kernel } of [server, client]) expect(kernel.inspect().generations).to.be.below(4)
    const late = await visit(ports[0] as number)
    late.write('late')
    expect(String((await once(late, 'data'))[0])).to.equal('late')
  }).timeout(60_000)
})
