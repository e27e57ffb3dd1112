import { expect } from 'chai'
import { Handshakes, type PendingHandshake, TurnQueue } from '../src/index.js'

/** Handshakes whose time and turns the test makes. */
class World {
  now = 0
  max = 3
  readonly log: string[] = []
  readonly #timers = new Set<{ at: number; fn: () => void }>()
  readonly #turns: (() => void)[] = []
  readonly handshakes = new Handshakes({
    limits: () => ({ max: this.max, timeout: 10 }),
    clock: {
      now: () => this.now,
      after: (ms, fn) => {
        const timer = { at: this.now + ms, fn }
        this.#timers.add(timer)
        return () => void this.#timers.delete(timer)
      }
    },
    queue: new TurnQueue({ perTurn: 2, nextTurn: (fn) => this.#turns.push(fn) })
  })

  begin(...names: string[]): PendingHandshake[] {
    return names.map((name) => this.handshakes.begin((reason) => this.log.push(`${name}: ${reason}`)))
  }

  enqueue(one: PendingHandshake | undefined, name: string): void {
    one?.enqueue(() => this.log.push(`${name}: starts`))
  }

  turn(): void {
    this.#turns.shift()?.()
  }

  pass(ms: number): void {
    this.now += ms
    for (const timer of this.#timers) {
      if (timer.at > this.now) continue
      this.#timers.delete(timer)
      timer.fn()
    }
  }

  get timers(): number {
    return this.#timers.size
  }
}

describe('handshakes in progress', () => {
  it('start in their order, a few per turn, and do not time out while they wait for that', () => {
    const world = new World()
    const names = ['a', 'b', 'c']
    for (const [index, one] of world.begin(...names).entries()) world.enqueue(one, names[index] as string)
    world.pass(1000)
    world.turn()
    expect(world.log).to.deep.equal(['a: starts', 'b: starts'])
    world.turn()
    expect(world.log.at(-1)).to.equal('c: starts')
    world.pass(10)
    expect(world.log.slice(3)).to.deep.equal(['a: timeout', 'b: timeout', 'c: timeout'])
    expect([world.handshakes.size, world.timers]).to.deep.equal([0, 0])
  })

  it('count the time of the peer over all its steps', () => {
    const world = new World()
    const [one] = world.begin('a')
    world.pass(6)
    world.enqueue(one, 'a')
    world.pass(100)
    world.turn()
    world.pass(3)
    expect(world.log).to.deep.equal(['a: starts'])
    world.pass(1)
    expect(world.log).to.deep.equal(['a: starts', 'a: timeout'])
  })

  it('evict at the limit whose peer has been silent for the longest, never one that waits for this end', () => {
    const world = new World()
    const [waits, silent] = world.begin('waits', 'silent', 'third')
    world.enqueue(waits, 'waits')
    world.begin('fourth', 'fifth')
    expect(world.log).to.deep.equal(['silent: limit'])
    world.turn()
    // It has answered last, though it came first.
    expect(world.log).to.deep.equal(['silent: limit', 'third: limit', 'waits: starts'])
    expect(silent?.settle()).to.equal(false)
    expect(world.handshakes.size).to.equal(3)
  })

  it('refuse the newest when too many wait for this end', () => {
    const world = new World()
    for (let count = 0; count < 5; count += 1) world.enqueue(world.begin(`${count}`)[0], `${count}`)
    expect(world.log).to.deep.equal(['3: limit', '4: limit'])
    world.turn()
    world.turn()
    expect(world.log.slice(2)).to.deep.equal(['0: starts', '1: starts', '2: starts'])
  })

  it('are not started when their peer has gone, and take no place then', () => {
    const world = new World()
    const [gone, there] = world.begin('gone', 'there')
    world.enqueue(gone, 'gone')
    world.enqueue(there, 'there')
    expect(gone?.settle()).to.equal(true)
    expect(gone?.settle()).to.equal(false)
    world.turn()
    expect(world.log).to.deep.equal(['there: starts'])
    world.enqueue(gone, 'gone')
    world.turn()
    expect(world.log).to.deep.equal(['there: starts'])
  })

  it('are all aborted at the end', () => {
    const world = new World()
    const [first] = world.begin('queued', 'waiting')
    world.enqueue(first, 'queued')
    world.handshakes.close()
    world.turn()
    expect(world.log).to.have.members(['queued: closed', 'waiting: closed'])
    expect([world.handshakes.size, world.timers]).to.deep.equal([0, 0])
  })
})
