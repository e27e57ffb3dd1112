import { expect } from 'chai'
import { access, type CallRecord, DROP, limit, type Middleware, RpcError } from '../src/index.js'
import { pair } from './pair.js'

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: RpcError) => error.code
  )

describe('middleware', () => {
  it('sees every message in and out, and may change, drop and fail it', async () => {
    const seen: string[] = []
    const see =
      (direction: string): Middleware['inbound'] =>
      (message) => {
        seen.push(`${direction} ${message.kind} ${message.name}`)
        if (message.name === 'upper') return { ...message, data: String(message.data).toUpperCase() }
        if (message.name === 'gone') return DROP
        if (message.name === 'no') throw new RpcError('app.no')
        return undefined
      }
    const { left, right } = await pair({
      other: { middleware: [{ name: 'see', inbound: see('in'), outbound: see('out') }] }
    })
    for (const name of ['plain', 'upper', 'gone', 'no'])
      right.router.handler({ name, fn: (_session, data) => `${data}-a` })
    expect(await left.request('plain', 'x')).to.equal('x-a')
    expect(await left.request('upper', 'x')).to.equal('X-A')
    expect(await codeOf(left.request('gone', 'x', { deadline: 30 }))).to.equal('rpc.deadline')
    expect(await codeOf(left.request('no'))).to.equal('app.no')
    expect(seen).to.deep.equal([
      'in request plain',
      'out response plain',
      'in request upper',
      'out response upper',
      'in request gone',
      'in request no',
      'out error no'
    ])
  })

  it('may be asynchronous, on both ends, and observes calls', async () => {
    const records: CallRecord[] = []
    const slow: Middleware = {
      name: 'slow',
      inbound: async (message) => ({ ...message, data: `${message.data}<` }),
      outbound: async (message) => ({ ...message, data: `${message.data}>` }),
      onCall: (record) => void records.push(record)
    }
    const { left, right } = await pair({ one: { middleware: [slow] }, other: { middleware: [slow] } })
    right.router.handler({ name: 'echo', fn: (_session, data) => data })
    expect(await left.request('echo', 'x')).to.equal('x><><')
    expect(records.map(({ direction, name, code }) => [direction, name, code])).to.deep.equal([
      ['in', 'echo', 'ok'],
      ['out', 'echo', 'ok']
    ])
  })
})

describe('access', () => {
  it('lets through what the first matching rule allows, and nothing else', async () => {
    const rules = access([
      { name: 'admin.*', allow: false },
      { identity: 'alice', name: '*.read' },
      { kind: 'event' },
      { kind: 'stream', name: 'logs' }
    ])
    const { left, right } = await pair({ other: { middleware: [rules] } })
    for (const name of ['admin.read', 'file.read', 'file.write']) right.router.handler({ name, fn: () => 'ok' })
    const heard = new Promise((resolve) => right.listen('any', (_session, data) => resolve(data)))
    right.router.streamHandler({ name: 'logs', fn: (_session, stream) => stream.end() })
    right.router.streamHandler({ name: 'video', fn: (_session, stream) => stream.end() })
    expect(await codeOf(left.request('file.read'))).to.equal('none')
    expect(await codeOf(left.request('file.write'))).to.equal('rpc.denied')
    expect(await codeOf(left.request('admin.read'))).to.equal('rpc.denied')
    void left.emit('any', 1)
    expect(await heard).to.equal(1)
    const [logs, video] = [left.createStream('logs'), left.createStream('video')]
    expect(await logs.recv()).to.equal(undefined)
    expect(await codeOf(video.recv())).to.equal('rpc.denied')
    logs.end()
  })
})

describe('limit', () => {
  it('sheds with rpc.busy and a time to try again', async () => {
    const { left, right } = await pair({ other: { middleware: [limit({ name: 'slow.*', calls: 3 })] } })
    right.router.handler({ name: 'slow.a', fn: () => 1 })
    right.router.handler({ name: 'fast', fn: () => 1 })
    const answers = await Promise.all([1, 2, 3, 4].map(() => left.request('slow.a').catch((error: RpcError) => error)))
    const refused = answers[3] as RpcError
    expect(answers.slice(0, 3)).to.deep.equal([1, 1, 1])
    expect([refused.code, refused.retryable, refused.hint]).to.deep.equal([
      'rpc.busy',
      true,
      'try again after the time named, or raise the limit'
    ])
    expect(refused.retryAfter).to.be.within(1, 400)
    expect(await left.request('fast')).to.equal(1)
  })

  it('bounds calls at once, and a call that is over makes room', async () => {
    const { left, right } = await pair({ other: { middleware: [limit({ atOnce: 1 })] } })
    let answer = (_value: number): void => {}
    right.router.handler({ name: 'wait', fn: () => new Promise<number>((resolve) => (answer = resolve)) })
    const first = left.request('wait')
    expect(await codeOf(left.request('wait'))).to.equal('rpc.busy')
    answer(7)
    expect(await first).to.equal(7)
    const again = left.request('wait')
    await new Promise(setImmediate)
    answer(8)
    expect(await again).to.equal(8)
  })

  it('takes back the place of a call whose connection is gone, though its handler never settles', async () => {
    const { left, right, cut, rejoin } = await pair({
      one: { middleware: [limit({ atOnce: 1 })] },
      reconnects: true
    })
    let ran = 0
    left.router.handler({
      name: 'hang',
      fn: () => {
        ran += 1
        return ran === 1 ? new Promise(() => {}) : 'answered'
      }
    })
    const lost = codeOf(right.request('hang'))
    while (ran === 0) await new Promise(setImmediate)
    expect(await codeOf(right.request('hang'))).to.equal('rpc.busy')
    cut()
    expect(await lost).to.equal('rpc.lost')
    const again = await rejoin()
    expect(await again.request('hang')).to.equal('answered')
  })
})
