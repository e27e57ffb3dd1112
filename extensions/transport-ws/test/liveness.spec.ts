import { SharedPorts } from '@rystra/net'
import type { ByteLink } from '@rystra/plugin'
import { FakeClock, setUpExtension } from '@rystra/testkit'
import { expect } from 'chai'
import net from 'node:net'
import transportWs from '../src/index.js'
import { cleanUp, dir, later, never, served, trusted, until } from './setup.js'

/** Length of a tick of the proxy. */
const TICK_MS = 10

/**
 * A proxy in between that resets a connection on which neither side has sent anything for `silence` ticks. It counts ticks, of which a
 * process that was held up misses as many as pings.
 */
const middlebox = async (target: number, silence: number) => {
  const chunks = { up: 0, down: 0 }
  const server = net.createServer((near) => {
    const far = net.connect(target, '127.0.0.1')
    const cut = (): void => {
      near.resetAndDestroy()
      far.resetAndDestroy()
    }
    let quiet = 0
    const timer = setInterval(() => {
      quiet += 1
      if (quiet > silence) cut()
    }, TICK_MS)
    for (const [from, to, way] of [
      [near, far, 'up'],
      [far, near, 'down']
    ] as const) {
      from.on('error', cut)
      from.on('close', () => {
        clearInterval(timer)
        to.destroy()
      })
      from.on('data', (chunk: Buffer) => {
        chunks[way] += 1
        quiet = 0
        to.write(chunk)
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  later(() => server.close())
  return { port: (server.address() as net.AddressInfo).port, chunks }
}

const link = async (name: 'ws' | 'wss', intervals: { server: number; client: number }, silence: number) => {
  const at = (side: 'server' | 'client') =>
    setUpExtension(transportWs({ pingInterval: intervals[side] }), side, {
      dir,
      clock: new FakeClock()
    }).registries.transports.get(name)
  const links: ByteLink[] = []
  const to = { transport: name, host: '127.0.0.1', port: 0, ...(name === 'wss' ? served : {}) }
  const listener = await at('server').listen(to, (made) => links.push(made as ByteLink), never, new SharedPorts())
  later(() => listener.close())
  const box = await middlebox(listener.address.port, silence)
  const options = { proxy: 'none', ...(name === 'wss' ? trusted : {}) }
  const near = (await at('client').dial({ ...to, ...options, port: box.port }, never)) as ByteLink
  await until(() => links.length > 0)
  const far = links[0] as ByteLink
  for (const { duplex } of [near, far]) {
    duplex.on('error', () => {})
    later(() => duplex.destroy())
  }
  return { near, far, box }
}

describe('a silent link behind a proxy that cuts silent connections', () => {
  afterEach(cleanUp)

  for (const name of ['ws', 'wss'] as const) {
    for (const [side, intervals] of [
      ['client', { server: 0, client: 10 }],
      ['server', { server: 10, client: 0 }]
    ] as const) {
      it(`is kept open over ${name} by pings of the ${side}, which are answered`, async () => {
        const { near, far, box } = await link(name, intervals, 8)
        near.duplex.resume()
        let received = ''
        far.duplex.on('data', (chunk: Buffer) => {
          received += String(chunk)
        })
        const { up, down } = box.chunks
        // Ten pings take longer than the silence that the proxy allows.
        await until(() => box.chunks.up >= up + 10 && box.chunks.down >= down + 10)
        expect([near.duplex.destroyed, far.duplex.destroyed]).to.deep.equal([false, false])
        near.duplex.write('hello')
        await until(() => received === 'hello')
      })
    }
  }

  it('is pinged at each interval: what was received since the last ping postpones none', async () => {
    const { near, far, box } = await link('ws', { server: 0, client: 20 }, 1000)
    for (const { duplex } of [near, far]) duplex.resume()
    const { up } = box.chunks
    let intervals = 0
    const timer = setInterval(() => {
      intervals += 1
    }, 20)
    // Each ping is answered before the next interval, so that there is always something received.
    await until(() => box.chunks.up >= up + 6)
    clearInterval(timer)
    expect(intervals).to.be.below(10)
  })

  it('is cut without pings', async () => {
    const { near } = await link('ws', { server: 0, client: 0 }, 5)
    near.duplex.resume()
    await until(() => near.duplex.destroyed)
  })
})
