import { until } from '@rystra/testkit'
import { type ByteLink, type MuxHost, silentLog } from '@rystra/plugin'
import { expect } from 'chai'
import type net from 'node:net'
import type { Duplex } from 'node:stream'
import { muxed, joined, linkOf, turns, muxerWith, failure, fixture } from './pool-world.js'

describe('the links of a client without multiplexing', () => {
  fixture()

  const clientHalf = async (dial?: (signal: AbortSignal) => Promise<ByteLink>) => {
    const far: net.Socket[] = []
    const seen = { dials: 0, most: 0, now: 0 }
    const host: MuxHost = {
      log: silentLog,
      links: {
        dial: async (signal) => {
          seen.dials += 1
          seen.now += 1
          seen.most = Math.max(seen.most, seen.now)
          try {
            if (dial !== undefined) return await dial(signal)
            const [dialed, accepted] = await joined()
            far.push(accepted)
            return linkOf(dialed)
          } finally {
            seen.now -= 1
          }
        },
        onLink: undefined,
        request: () => {},
        onRequest: undefined
      }
    }
    const [near, control] = await joined()
    near.resume()
    control.resume()
    const link = muxerWith({}).wrap(linkOf(near), 'client', host)
    muxed.add(link)
    const streams: Duplex[] = []
    link.onStream = (stream) => streams.push(stream)
    return { link, far, seen, streams, ask: (count: number) => host.links.onRequest?.(count), control }
  }

  it('become streams with the first byte, and vanish with an end before it', async () => {
    const { link, far, streams, ask } = await clientHalf()
    ask(3)
    await until(() => far.length === 3, 'they were dialed')
    await turns(5)
    expect(link.streams).to.equal(0)
    far[0]?.write('OpenStream')
    await until(() => streams.length === 1, 'the stream came')
    expect(String(streams[0]?.read())).to.equal('OpenStream')
    expect(link.streams).to.equal(1)
    far[1]?.end()
    far[1]?.resume()
    await until(() => far[1]?.readableEnded === true, 'the idle one was closed')
    far[2]?.resetAndDestroy()
    await turns(5)
    expect(streams.length).to.equal(1)
  })

  it('are dialed in bounded numbers, whatever the server asks', async () => {
    const { seen, ask, link } = await clientHalf(
      (signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('given up')), { once: true })
        })
    )
    for (let count = 0; count < 1000; count += 1) ask(64)
    expect([seen.dials, seen.most]).to.deep.equal([256, 256])
    link.destroy()
    await until(() => seen.now === 0, 'all were given up')
    expect(seen.dials).to.equal(256)
  })

  it('are all tried, also when the first fail', async () => {
    const { seen, ask } = await clientHalf(() => Promise.reject(new Error('no descriptors')))
    for (let count = 0; count < 5; count += 1) ask(64)
    await until(() => seen.dials === 320, 'all were tried')
    await turns(5)
    expect(seen.dials).to.equal(320)
  })

  it('are reset when the link is over, and none is dialed any more', async () => {
    const { link, far, ask, seen } = await clientHalf()
    ask(2)
    await until(() => far.length === 2, 'they were dialed')
    await turns(3)
    link.close()
    ask(5)
    expect(seen.dials).to.equal(2)
    expect((await failure(link.open())).code).to.equal('mux.closed')
  })

  it('are given up with their stream', async () => {
    const { link, seen } = await clientHalf(
      (signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('given up')), { once: true })
        })
    )
    const controller = new AbortController()
    const opening = link.open(controller.signal).catch((error: Error) => error.message)
    controller.abort()
    expect(await opening).to.equal('given up')
    const other = link.open().catch((error: Error) => error.message)
    link.destroy()
    expect(await other).to.equal('given up')
    expect(seen.now).to.equal(0)
  })
})
