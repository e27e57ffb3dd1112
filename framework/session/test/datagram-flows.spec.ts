import { joinDatagrams, type MemoryDatagramOptions } from '@rystra/testkit'
import type { RystraError } from '@rystra/model'
import { expect } from 'chai'
import { type CountedFlow, DatagramFlows } from '../src/index.js'
import { turns } from './fakes.js'

const join = (options?: MemoryDatagramOptions) => {
  const channels = joinDatagrams(options)
  const here = new DatagramFlows(channels[0], 'server')
  const there = new DatagramFlows(channels[1], 'client')
  return { channels, here, there }
}

const heard = (flow: ReturnType<DatagramFlows['open']>): string[] => {
  const came: string[] = []
  flow.onMessage = (message) => came.push(message.toString('latin1'))
  return came
}

describe('flows of datagrams', () => {
  it('are told apart by their number, both ways', async () => {
    const { channels, there } = join()
    // Not `open`: numbers as they are after thousands of streams.
    const here = new DatagramFlows(channels[0], 'client')
    const numbers = [0, 2, 0x01020304, 0xfffffffe]
    const [near, far] = [here, there].map((end) => numbers.map((id) => end.accept(id))) as [
      CountedFlow[],
      CountedFlow[]
    ]
    const came = far.map(heard)
    for (const [index, flow] of near.entries()) expect(flow.send(Buffer.from(`to ${index}`))).to.equal(true)
    await turns(3)
    expect(came).to.deep.equal(numbers.map((_, index) => [`to ${index}`]))
    const back = near.map(heard)
    far[2]?.send(Buffer.from('back'))
    await turns(3)
    expect(back).to.deep.equal([[], [], ['back'], []])
  })

  it('count what no stream takes', async () => {
    const channels = joinDatagrams()
    const numbers = { sent: 1, received: 2, queued: 3, lostPackets: 4 }
    const counted = Object.assign(channels[1], {
      stats: () => ({ ...numbers, dropped: { queue: 5, size: 6, unclaimed: 0 } })
    })
    const there = new DatagramFlows(counted, 'client')
    const came = heard(there.accept(2))
    for (const message of [
      [0, 0, 0, 2, 1],
      [0, 0, 0, 4, 1],
      [0, 0]
    ])
      channels[0].send(Buffer.from(message))
    await turns(3)
    expect(came).to.have.length(1)
    expect(there.stats()).to.deep.equal({ ...numbers, dropped: { queue: 5, size: 6, unclaimed: 2 } })
    expect(new DatagramFlows(channels[0], 'server').stats(), 'a channel that does not count').to.equal(undefined)
  })

  it('begin with the number, big-endian, as the protocol has it', async () => {
    const { channels, here } = join()
    const raw: string[] = []
    channels[1].onMessage = (message) => raw.push(Buffer.from(message).toString('hex'))
    here.accept(0x01020305).send(Buffer.from('hi'))
    await turns(3)
    expect(raw).to.deep.equal(['010203056869'])
  })

  it('carry messages as large as the channel takes less the number, and no larger', async () => {
    for (const maxSize of [100, 60_000]) {
      const { here, there } = join({ maxSize })
      const [flow, came] = [here.open(), heard(there.accept(2))]
      expect(flow.maxSize).to.equal(maxSize - 4)
      expect(flow.send(Buffer.alloc(maxSize - 4)), 'the largest').to.equal(true)
      expect(flow.send(Buffer.alloc(maxSize - 3)), 'larger').to.equal(false)
      expect(flow.send(Buffer.alloc(1_000_000)), 'much larger').to.equal(false)
      expect(flow.send(Buffer.alloc(0)), 'empty').to.equal(true)
      await turns(3)
      expect(came.map(({ length }) => length)).to.deep.equal([maxSize - 4, 0])
    }
  })

  it('drop what is for an unknown flow, and what is too short to name one', async () => {
    const { channels, here, there } = join()
    const came = heard(there.accept(2))
    const flows = [here.open(), here.open(), here.open()]
    there.accept(4)
    for (const flow of flows.slice(1)) flow.send(Buffer.from('unknown'))
    for (let length = 0; length < 4; length += 1) channels[0].send(Buffer.alloc(length, 2))
    flows[0]?.send(Buffer.from('known'))
    await turns(3)
    expect(came).to.deep.equal(['known'])
  })

  it('neither send nor hear when they are closed; the next flow of that number is left alone', async () => {
    const { here, there } = join()
    const [peer, first] = [there.open(), here.accept(3)]
    first.close()
    const second = here.accept(3)
    const [came, back] = [heard(peer), heard(second)]
    first.close()
    expect(first.send(Buffer.from('x'))).to.equal(false)
    expect(second.send(Buffer.from('y'))).to.equal(true)
    peer.send(Buffer.from('z'))
    await turns(3)
    expect([came, back]).to.deep.equal([['y'], ['z']])
    second.close()
    peer.send(Buffer.from('late'))
    await turns(3)
    expect(back).to.deep.equal(['z'])
  })

  it('have numbers of the end that opened them: the peer takes over no flow of this end, and none in use', async () => {
    const { here, there } = join()
    const own = here.open()
    const came = heard(own)
    const problem = (end: DatagramFlows, id: number): unknown => {
      try {
        end.accept(id)
        return undefined
      } catch (error) {
        return [(error as RystraError).code, (error as RystraError).side, (error as RystraError).detail]
      }
    }
    const own2 = ['protocol.unexpected', 'client', 'flow 2 is one of the server']
    expect([own.id, problem(here, 2), problem(here, 3)]).to.deep.equal([2, own2, undefined])
    expect(problem(here, 3)).to.deep.equal(['protocol.unexpected', 'client', 'flow 3 is in use'])
    expect(problem(there, 3)).to.deep.equal(['protocol.unexpected', 'server', 'flow 3 is one of the client'])
    there.accept(2).send(Buffer.from('still its own'))
    await turns(3)
    expect(came).to.deep.equal(['still its own'])
  })
})
