import { expect } from 'chai'
import { RequestQueue } from '../src/request-queue.js'

describe('the requests of one client', () => {
  it('are carried out one after the other', async () => {
    const queue = new RequestQueue(() => {})
    const done: string[] = []
    let running = 0
    for (const name of ['a', 'b', 'c']) {
      queue.push(1, async () => {
        running += 1
        await new Promise((resolve) => setImmediate(resolve))
        done.push(`${name} ${running}`)
        running -= 1
      })
    }
    await new Promise<void>((resolve) => queue.push(1, async () => resolve()))
    expect(done).to.deep.equal(['a 1', 'b 1', 'c 1'])
  })

  it('go on after one that fails, at once or later', async () => {
    const failures: unknown[] = []
    const queue = new RequestQueue((error) => void failures.push(error))
    queue.push(1, () => Promise.reject(new Error('later')))
    queue.push(1, () => {
      throw new Error('at once')
    })
    await new Promise<void>((resolve) => queue.push(1, async () => resolve()))
    expect(failures.map((error) => (error as Error).message)).to.deep.equal(['later', 'at once'])
  })

  it('are refused beyond a number and a size, and taken again when those that waited are done', async () => {
    const queue = new RequestQueue(() => {})
    const flood = (bytes: number): number => {
      for (let count = 0; ; count += 1) {
        try {
          queue.push(bytes, () => Promise.reject(new Error('refused')))
        } catch {
          return count
        }
      }
    }
    for (const [bytes, taken] of [
      [1, 4096],
      [1024 * 1024, 3]
    ] as const) {
      expect(flood(bytes)).to.equal(taken)
      for (let turn = 0; turn < 400; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      await new Promise<void>((resolve) => queue.push(1, async () => resolve()))
    }
  })
})
