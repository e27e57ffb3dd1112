import { expect } from 'chai'
import type { RpcError } from '../src/error.js'
import { pair } from './pair.js'

const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise
  } catch (error) {
    return (error as RpcError).code
  }
  return 'none'
}

describe('a session', () => {
  it('asks and answers, both ways', async () => {
    const { left, right } = await pair()
    right.router.handler({ name: 'add', fn: (_session, { a, b }) => a + b })
    left.router.handler({ name: 'later', fn: async (_session, text) => `${text}!` })
    expect(await left.request('add', { a: 1, b: 2 })).to.equal(3)
    expect(await right.request('later', 'yes')).to.equal('yes!')
  })

  it('answers a name that nobody handles with rpc.unknown, and a handler that throws with rpc.handler', async () => {
    const { left, right } = await pair()
    right.router.handler({
      name: 'throws',
      fn: () => {
        throw new Error('secret')
      }
    })
    expect(await codeOf(left.request('nothing'))).to.equal('rpc.unknown')
    expect(await codeOf(left.request('throws'))).to.equal('rpc.handler')
    await left.request('throws').catch((error: Error) => expect(error.message).to.not.include('secret'))
  })

  it('carries long bodies in parts', async () => {
    const { left, right } = await pair()
    right.router.handler({ name: 'echo', fn: (_session, data) => data })
    const bytes = Buffer.alloc(1_000_000, 'abc')
    expect(Buffer.compare((await left.request('echo', bytes)) as Buffer, bytes)).to.equal(0)
    const text = 'x'.repeat(100_000)
    expect(await left.request('echo', { text })).to.deep.equal({ text })
  })

  it('tells events in order', async () => {
    const { left, right } = await pair()
    const heard: number[] = []
    const all = new Promise<void>((resolve) => {
      right.listen('tick', (_session, data) => {
        heard.push(data)
        if (heard.length === 100) resolve()
      })
    })
    for (let index = 0; index < 100; index++) void left.emit('tick', index)
    await all
    expect(heard).to.deep.equal([...heard.keys()])
  })
})
