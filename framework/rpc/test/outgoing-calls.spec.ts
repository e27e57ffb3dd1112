import { expect } from 'chai'
import type { RpcError } from '../src/error.js'
import { type OutgoingCall, OutgoingCalls } from '../src/session/outgoing-calls.js'

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'ok',
    (error: RpcError) => error.code
  )

describe('calls of this side', () => {
  it('that expired while they waited make room for others', async () => {
    const calls = new OutgoingCalls(() => {})
    const waiting = Array.from({ length: 10_000 }, () => codeOf(calls.request('a', undefined, { deadline: 1 })))
    expect(await codeOf(calls.request('a', undefined, {}))).to.equal('rpc.busy')
    expect(new Set(await Promise.all(waiting))).to.deep.equal(new Set(['rpc.deadline']))
    const [again, sent] = [calls.request('a', undefined, {}), [] as string[]]
    calls.attach({
      maxCalls: 1,
      sendRequest: (call) => {
        sent.push(call.name)
        calls.settle(call, 'answered')
      },
      sendCancel: () => {}
    })
    expect(await again).to.equal('answered')
    expect(sent).to.deep.equal(['a'])
  })

  it('wait for their turn in order, those that are asked again first', async () => {
    const calls = new OutgoingCalls(() => {})
    const sent: string[] = []
    const sender = {
      maxCalls: 1,
      sendRequest: ({ name }: { name: string }) => void sent.push(name),
      sendCancel: () => {}
    }
    for (const name of ['one', 'two', 'three']) calls.request(name, undefined, { idempotent: true }).catch(() => {})
    calls.attach(sender)
    calls.detach(true, new Error('lost'))
    calls.attach({ ...sender, maxCalls: 3 })
    expect(sent).to.deep.equal(['one', 'one', 'two', 'three'])
    calls.end(new Error('over'))
  })

  it('wait for the next connection when a peer that is closing did not begin them, if they may be asked again', async () => {
    const calls = new OutgoingCalls(() => {})
    const sent: OutgoingCall[] = []
    const sender = { maxCalls: 2, sendRequest: (call: OutgoingCall) => void sent.push(call), sendCancel: () => {} }
    calls.attach(sender)
    const again = calls.request('again', undefined, { idempotent: true })
    const once = calls.request('once', undefined, {})
    expect(sent.map((call) => calls.postpone(call))).to.deep.equal([true, false])
    calls.settle(sent[1] as OutgoingCall, 'answered too')
    expect([await once, sent.length]).to.deep.equal(['answered too', 2])
    calls.detach(true, new Error('lost'))
    calls.attach(sender)
    expect(sent[2]?.name).to.equal('again')
    calls.settle(sent[2] as OutgoingCall, 'answered')
    expect(await again).to.equal('answered')
  })

  it('have ids that begin again at 1, without those that are in flight', () => {
    const calls = new OutgoingCalls(() => {}, 4)
    calls.request('a', undefined, {}).catch(() => {})
    expect(calls.wasTaken(2)).to.equal(false)
    expect([calls.takeId(), calls.takeId(), calls.takeId(), calls.takeId()]).to.deep.equal([2, 3, 4, 2])
    expect([0, 1, 4].map((id) => calls.wasTaken(id))).to.deep.equal([false, true, true])
    calls.end(new Error('over'))
  })
})
