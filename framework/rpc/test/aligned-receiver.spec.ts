import { FakeClock, SimulatedLine } from '@rystra/testkit'
import { expect } from 'chai'
import { AlignedReceiver, type AlignedReceiverOptions } from '../src/stream/aligned-receiver.js'
import { ClockWorld } from './clock-world.js'

/** A stream of 20 ms messages from a peer with a clock of its own, over the line of the clock's Pings. */
class AlignedWorld extends ClockWorld {
  readonly receiver: AlignedReceiver<number>
  readonly line: SimulatedLine
  readonly got: { data: number; aligned: number; at: number }[] = []
  sent = 0

  constructor(options: Partial<AlignedReceiverOptions> = {}) {
    super({ to: { delay: 20, jitter: 20 }, offset: 86_400_000, ppm: 100 })
    this.line = new SimulatedLine(this.time, 7, { delay: 20, jitter: 20, loss: 0.02 })
    this.receiver = new AlignedReceiver({ clock: this.clock, after: (ms, fn) => this.time.after(ms, fn), ...options })
  }

  /** Each message carries the true time at which it was sent. */
  stream(ms: number): void {
    this.run(
      ms,
      () => {
        const message = { seq: this.sent++, timestamp: this.peer.now(), data: this.own.now(), bytes: 8 }
        this.line.send(() => this.receiver.push(message))
      },
      20
    )
  }

  async read(): Promise<void> {
    for await (const [data, aligned] of this.receiver) this.got.push({ data, aligned, at: this.own.now() })
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('an aligned receiver', () => {
  it('gives the times of the peer as its own, in order, a constant delay later', async () => {
    const world = new AlignedWorld()
    world.run(30_000)
    const reading = world.read()
    // The reader takes one message in each turn.
    for (let step = 0; step < 200; step++) {
      world.stream(20)
      await settle()
    }
    world.receiver.end()
    world.time.advance(1000)
    for (let left = world.receiver.stats.depth; left >= 0; left--) await settle()
    await reading
    const { late, lost, received, depth } = world.receiver.stats
    expect([late, depth]).deep.equal([0, 0])
    expect(world.got.length).equal(received).and.to.be.within(180, 200)
    expect(lost).equal(world.sent - received)
    for (const { data, aligned } of world.got) expect(Math.abs(aligned - data)).to.be.below(5)
    const times = world.got.map(({ aligned }) => aligned)
    expect(times).deep.equal([...times].sort((a, b) => a - b))
  })

  it('waits without a timer while nothing reads or nothing waits', async () => {
    const time = new FakeClock()
    const world = new AlignedWorld({ after: (ms, fn) => time.after(ms, fn) })
    world.receiver.push({ seq: 0, timestamp: world.peer.now(), data: 0, bytes: 1 })
    expect(time.pending).equal(0)
    const first = world.receiver.recvAligned()
    expect(time.pending).equal(1)
    world.time.advance(40)
    time.advance(40)
    expect((await first)?.[0]).equal(0)
    const second = world.receiver.recvAligned()
    expect(time.pending).equal(0)
    world.receiver.end()
    expect(await second).equal(undefined)
  })

  it('gives out what it has before it ends with an error', async () => {
    const world = new AlignedWorld()
    world.receiver.push({ seq: 0, timestamp: world.peer.now(), data: 5, bytes: 1 })
    world.receiver.end(new Error('reset'))
    const received = [world.receiver.recvAligned(), world.receiver.recvAligned()] as const
    const failed = received[1].catch((error: Error) => error.message)
    world.time.advance(40)
    expect((await received[0])?.[0]).equal(5)
    expect(await failed).equal('reset')
  })
})
