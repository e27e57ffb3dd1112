import { expect } from 'chai'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { duplexPair } from '../src/index.js'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await turn()
}
/** Without an async iterator: that destroys the stream at the end of the one direction. */
const readAll = async (stream: Duplex): Promise<string> => {
  let all = ''
  stream.on('data', (chunk: Buffer) => {
    all += chunk.toString()
  })
  await once(stream, 'end')
  return all
}

describe('a pair of streams', () => {
  it('carries bytes both ways, never in the turn they were written in', async () => {
    const [one, other] = duplexPair()
    let came = false
    other.on('data', () => {
      came = true
    })
    one.write('ping')
    expect(came).to.equal(false)
    await once(other, 'data')
    other.end('pong')
    expect(await readAll(one)).to.equal('pong')
  })

  it('lets an answer come after a half-close', async () => {
    const [one, other] = duplexPair()
    one.end('question')
    expect(await readAll(other)).to.equal('question')
    await turns(10)
    other.end('late answer')
    expect(await readAll(one)).to.equal('late answer')
  })

  it('closes both ends once both are done', async () => {
    const [one, other] = duplexPair()
    const closed = Promise.all([once(one, 'close'), once(other, 'close')])
    one.end('a')
    other.end('b')
    one.resume()
    other.resume()
    await closed
    expect([one.errored, other.errored]).to.deep.equal([null, null])
  })

  for (const error of [undefined, new Error('given up')]) {
    it(`shows a destroy ${error === undefined ? 'without' : 'with'} an error as a reset, not as an end`, async () => {
      const [one, other] = duplexPair()
      one.on('error', () => {})
      let ended = false
      other.on('end', () => {
        ended = true
      })
      other.resume()
      one.write('half a mess')
      await turns(3)
      one.destroy(error)
      const [seen] = await once(other, 'error')
      expect(seen).to.have.property('code', 'ECONNRESET')
      expect(ended, 'a clean end').to.equal(false)
    })
  }

  it('shows a reset also to who has ended its own half', async () => {
    const [one, other] = duplexPair()
    other.end()
    await turns(3)
    one.destroy()
    expect((await once(other, 'error'))[0]).to.have.property('code', 'ECONNRESET')
  })

  it('holds a writer back whose reader does not read, and lets it go on', async () => {
    const [one, other] = duplexPair({ highWaterMark: 1000 })
    let accepted = 0
    const pump = (): void => {
      while (accepted < 50_000) {
        accepted += 100
        if (!one.write(Buffer.alloc(100))) return void one.once('drain', pump)
      }
      one.end()
    }
    pump()
    await turns(100)
    expect(accepted).to.be.within(1000, 3000)
    expect((await readAll(other)).length).to.equal(50_000)
  })

  it('gives a write back with an error when the other end goes while it waits', async () => {
    const [one, other] = duplexPair({ highWaterMark: 10 })
    const failed = once(one, 'error')
    one.write(Buffer.alloc(100))
    one.write(Buffer.alloc(100))
    await turns(5)
    other.destroy()
    expect((await failed)[0]).to.have.property('code', 'ECONNRESET')
  })

  it("copies what is written, so that the writer's memory is free", async () => {
    const [one, other] = duplexPair()
    const memory = Buffer.from('first')
    one.write(memory)
    memory.fill('x')
    one.end()
    expect(await readAll(other)).to.equal('first')
  })
})
