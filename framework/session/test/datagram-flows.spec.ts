import { joinDatagrams, type MemoryDatagramOptions } from '@rystra/testkit'
import { expect } from 'chai'
import { DatagramFlows } from '../src/index.js'
import { turns } from './fakes.js'

const join = (options?: MemoryDatagramOptions) => {
  const channels = joinDatagrams(options)
  const [here, there] = channels.map((channel) => new DatagramFlows(channel)) as [DatagramFlows, DatagramFlows]
  return { channels, here, there }
}

const heard = (flow: ReturnType<DatagramFlows['open']>): string[] => {
  const came: string[] = []
  flow.onMessage = (message) => came.push(message.toString('latin1'))
  return came
}

describe('flows of datagrams', () => {
  it('are told apart by their number, both ways', async () => {
    const { here, there } = join()
    const numbers = [0, 1, 0x01020304, 0xffffffff]
    const near = numbers.map((id) => here.open(id))
    const came = numbers.map((id) => heard(there.open(id)))
    for (const [index, flow] of near.entries()) expect(flow.send(Buffer.from(`to ${index}`))).to.equal(true)
    await turns(3)
    expect(came).to.deep.equal(numbers.map((_, index) => [`to ${index}`]))
    const back = heard(near[2] as (typeof near)[0])
    there.open(0x01020304).send(Buffer.from('back'))
    await turns(3)
    expect(back).to.deep.equal(['back'])
  })

  it('begin with the number, big-endian, as the protocol has it', async () => {
    const { channels, here } = join()
    const raw: string[] = []
    channels[1].onMessage = (message) => raw.push(Buffer.from(message).toString('hex'))
    here.open(0x01020304).send(Buffer.from('hi'))
    await turns(3)
    expect(raw).to.deep.equal(['010203046869'])
  })

  it('carry messages as large as the channel takes less the number, and no larger', async () => {
    for (const maxSize of [100, 60_000]) {
      const { here, there } = join({ maxSize })
      const [flow, came] = [here.open(2), heard(there.open(2))]
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
    const came = heard(there.open(2))
    there.open(4)
    for (const id of [4, 6]) here.open(id).send(Buffer.from('unknown'))
    for (let length = 0; length < 4; length += 1) channels[0].send(Buffer.alloc(length, 2))
    here.open(2).send(Buffer.from('known'))
    await turns(3)
    expect(came).to.deep.equal(['known'])
  })

  it('neither send nor hear when they are closed; who has the number by then is left alone', async () => {
    const { here, there } = join()
    const peer = there.open(2)
    const [first, came] = [here.open(2), heard(peer)]
    const second = here.open(2)
    const back = heard(second)
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
})
