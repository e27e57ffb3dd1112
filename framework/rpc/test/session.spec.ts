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

  it('answers a name without a handler with rpc.unknown, and a handler that throws with rpc.handler', async () => {
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

  it('tells the handler when the caller gives up, at once, and when its deadline passes', async () => {
    const { left, right } = await pair()
    const aborted: string[] = []
    right.router.handler({
      name: 'wait',
      fn: (_session, _data, { signal }) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => {
            aborted.push((signal.reason as RpcError).code)
            reject(signal.reason)
          })
        )
    })
    const stop = new AbortController()
    const given = left.request('wait', undefined, { signal: stop.signal })
    await new Promise(setImmediate)
    stop.abort()
    expect(await codeOf(given)).to.equal('rpc.cancelled')
    expect(await codeOf(left.request('wait', undefined, { deadline: 20 }))).to.equal('rpc.deadline')
    while (aborted.length < 2) await new Promise(setImmediate)
    expect(aborted[0]).to.equal('rpc.cancelled')
    expect(aborted[1]).to.be.oneOf(['rpc.deadline', 'rpc.cancelled'])
  })

  it('carries a deadline on through a second hop', async () => {
    const [first, second] = [await pair(), await pair()]
    let left = 0
    second.right.router.handler({
      name: 'inner',
      fn: (_session, _data, { deadline }) => {
        left = deadline ?? 0
        return new Promise(() => {})
      }
    })
    first.right.router.handler({
      name: 'outer',
      fn: (_session, _data, { deadline, signal }) => second.left.request('inner', undefined, { deadline, signal })
    })
    expect(await codeOf(first.left.request('outer', undefined, { deadline: 250 }))).to.equal('rpc.deadline')
    expect(left).to.be.within(1, 250)
  })

  it('rejects what is in flight with rpc.lost, and asks again what is idempotent', async () => {
    const { left, cut, rejoin, far } = await pair({ reconnects: true })
    const handle = (session: typeof left): void =>
      session.router.handler({ name: 'hang', fn: () => new Promise(() => {}) })
    handle([...far.sessions()][0] as typeof left)
    const [lost, kept] = [left.request('hang'), left.request('hang', undefined, { idempotent: true })]
    const code = codeOf(lost)
    await new Promise(setImmediate)
    cut()
    expect(await code).to.equal('rpc.lost')
    const again = await rejoin()
    again.router.handler({ name: 'hang', fn: () => 'answered' })
    expect(await kept).to.equal('answered')
  })

  it('lets a short message pass a long one, which goes in parts', async () => {
    const { left, right } = await pair()
    const order: string[] = []
    right.router.handler({ name: 'long', fn: () => void order.push('long') })
    right.router.handler({ name: 'short', fn: () => void order.push('short') })
    const long = left.request('long', Buffer.alloc(4_000_000))
    await left.request('short')
    await long
    expect(order).to.deep.equal(['short', 'long'])
  })
})
