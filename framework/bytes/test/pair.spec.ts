import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { duplexPair } from '../src/index.js'

/** All until the end; what is in the other direction stays as it is. */
const read = async (stream: Duplex): Promise<string> => {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(stream, 'end')
  return Buffer.concat(chunks).toString()
}

describe('a pair of streams', () => {
  it('passes bytes and ends on, each way by itself', async () => {
    const [one, other] = duplexPair()
    one.end('there')
    expect(await read(other)).to.equal('there')
    other.end('back')
    expect(await read(one)).to.equal('back')
  })

  it('tells the other side of a destroy, with and without an error', async () => {
    for (const error of [undefined, new Error('given up')]) {
      const [one, other] = duplexPair()
      other.removeAllListeners('error')
      const again = once(other, 'error')
      one.destroy(error)
      expect(((await again)[0] as NodeJS.ErrnoException).code).to.equal('ECONNRESET')
      expect(other.destroyed).to.equal(true)
    }
  })

  it('ends no process over an error without a listener', async () => {
    const [one, other] = duplexPair()
    one.destroy(new Error('given up'))
    await new Promise((resolve) => other.once('close', resolve))
    expect(other.errored).to.include({ code: 'ECONNRESET' })
  })

  it('closes cleanly when both ends are done', async () => {
    const [one, other] = duplexPair()
    const closed = Promise.all([once(one, 'close'), once(other, 'close')])
    one.end()
    other.end()
    one.resume()
    other.resume()
    await closed
    expect([one.errored, other.errored]).to.deep.equal([null, null])
  })

  it('holds a writer back whose reader does not read', async () => {
    const [one, other] = duplexPair()
    let through = 0
    const chunk = Buffer.alloc(65_536)
    for (let index = 0; index < 10; index += 1) one.write(chunk, () => (through += 1))
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    expect(through).to.be.lessThan(3)
    other.resume()
    await until(() => through >= 10)
  })

  it('leaves the memory of the writer to the writer', async () => {
    const [one, other] = duplexPair()
    const memory = Buffer.from('first')
    one.write(memory, () => memory.fill('x'))
    one.end()
    await new Promise((resolve) => setImmediate(resolve))
    expect(await read(other)).to.equal('first')
  })
})
