import { expect } from 'chai'
import { Memory } from '../src/memory.js'
import { ReceiveWindow } from '../src/window.js'
import { MIB, WINDOW } from './flood.js'
import { until } from './ends.js'
import { ACK, frame, PING, SYN, UPDATE, withPeer } from './wire.js'

const ROUND_TRIP = 10

/** Halves of a window that take so many milliseconds each, one after the other. */
const after = (...halves: readonly number[]): { window: ReceiveWindow; memory: Memory; granted: number[] } => {
  const memory = new Memory(64 * MIB)
  const window = new ReceiveWindow()
  let now = 0
  const granted = halves.map((took) => {
    now += took
    return window.adapt(now, ROUND_TRIP, MIB, memory)
  })
  return { window, memory, granted }
}

describe('the window of a stream', () => {
  it('doubles while it passes in less than four round trips, up to the largest', () => {
    const { window, memory, granted } = after(19, 19, 19, 19, 19, 19)
    expect(granted).to.deep.equal([0, 0, WINDOW, 2 * WINDOW, 0, 0])
    expect([window.bytes, memory.grown]).to.deep.equal([MIB, MIB - WINDOW])
  })

  it('does not grow because one half of it has waited somewhere and then came at once', () => {
    const { window } = after(60, 60, 0, 60, 0, 60, 0)
    expect(window.bytes).to.equal(WINDOW)
  })

  it('shrinks by halves when it takes sixteen round trips, and not below its first size', () => {
    const { window, memory, granted } = after(1, 1, 1, 1, 90, 90, 90, 90)
    expect(granted).to.deep.equal([0, 0, WINDOW, 2 * WINDOW, 0, -2 * WINDOW, -WINDOW, 0])
    expect([window.bytes, memory.grown]).to.deep.equal([WINDOW, 0])
  })

  it('stays as it is in between', () => {
    const { window } = after(1, 1, 1, 50, 50, 50, 50)
    expect(window.bytes).to.equal(2 * WINDOW)
  })
})

describe('the round trip of a session', () => {
  it('is that of the fastest of four pings, sent one after the other when the first data stream is opened', async () => {
    const { mux, peer } = withPeer('server')
    mux.onStream = () => {}
    // The control stream: a session that only waits measures nothing.
    peer.write(frame(UPDATE, SYN, 1, 0))
    await peer.settled()
    expect(peer.of(PING).filter(({ flags }) => flags === SYN)).to.deep.equal([])
    peer.write(frame(UPDATE, SYN, 3, 0))
    const pings = (): number[] => peer.of(PING).flatMap(({ flags, length }) => (flags === SYN ? [length] : []))
    // The peer has just started and answers late; the next three are answered as they come.
    await until(() => pings().length === 1, 'the first')
    await new Promise((resolve) => setTimeout(resolve, 30))
    for (let count = 1; count <= 4; count++) {
      await until(() => pings().length === count, `ping ${count}`)
      peer.write(frame(PING, ACK, 0, pings()[count - 1] as number))
    }
    await peer.settled()
    expect(mux.keepAlive.roundTrip).to.be.below(30)
    expect(pings()).to.have.length(4)
  })
})
