import { expect } from 'chai'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { cleanUp, quiet, socketPair, turns, until } from './ends.js'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const used = async (): Promise<number> => {
  for (let round = 0; round < 3; round++) {
    await turns(3)
    collect()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

describe('ten thousand streams', () => {
  const COUNT = 10_000

  afterEach(cleanUp)

  it('cost at most 8 KiB each at each end while they are idle, and nothing when they are over', async () => {
    const pair = await socketPair()
    const hold: Duplex[] = []
    pair.server.onStream = (stream) => {
      // As in the relay: the stream is read, and no data arrives.
      hold.push(quiet(stream).on('data', () => {}))
    }
    // The first stream is the control stream, which is not counted.
    const control = quiet(await pair.client.open())
    /** Opens and closes all of them. Returns the bytes of each end of one while it is idle. */
    const round = async (): Promise<number> => {
      const before = await used()
      for (let index = 0; index < COUNT; index++) {
        const stream = quiet(await pair.client.open())
        stream.on('data', () => {}).write('x')
        hold.push(stream)
      }
      await until(() => pair.server.streams === COUNT, 'all streams', 30_000)
      await turns(5)
      const each = ((await used()) - before) / COUNT / 2
      for (const stream of hold.splice(0)) stream.destroy()
      await until(() => pair.server.streams === 0 && pair.client.streams === 0, 'the end of all', 30_000)
      return each
    }
    expect(await round(), 'bytes of an idle stream at one end').to.be.lessThan(8 * 1024)
    // What a first round leaves is compiled code, and tables that grew for as many streams.
    const before = await used()
    await round()
    expect(((await used()) - before) / COUNT, 'bytes left of a stream').to.be.lessThan(50)
    control.destroy()
  })

  it('each carry their own bytes, all at a time', async () => {
    const pair = await socketPair()
    pair.server.onStream = (stream) => quiet(stream).pipe(stream)
    const streams: Duplex[] = []
    for (let index = 0; index < COUNT; index++) streams.push(quiet(await pair.client.open()))
    const answers = await Promise.all(
      streams.map(async (stream, index) => {
        stream.end(`stream ${index}`)
        let answer = ''
        stream.on('data', (chunk: Buffer) => {
          answer += String(chunk)
        })
        await once(stream, 'end')
        return answer === `stream ${index}`
      })
    )
    expect(answers.filter((right) => right)).to.have.length(COUNT)
    await until(() => pair.server.streams === 0 && pair.client.streams === 0, 'the end of all')
  })
})
