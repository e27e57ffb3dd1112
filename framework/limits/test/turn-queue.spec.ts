import { expect } from 'chai'
import { TurnQueue } from '../src/index.js'

/** A queue whose turns the test makes. */
const byHand = (perTurn: number) => {
  const turns: (() => void)[] = []
  const queue = new TurnQueue({ perTurn, nextTurn: (fn) => turns.push(fn) })
  const started: number[] = []
  const add = (...ids: number[]): (() => void)[] => ids.map((id) => queue.add(() => started.push(id)))
  return { queue, started, add, turns, turn: () => turns.shift()?.() }
}

describe('a queue of turns', () => {
  it('starts tasks in their order, a few per turn, and schedules no turn without tasks', () => {
    const { queue, started, add, turn, turns } = byHand(2)
    add(1, 2, 3, 4, 5)
    expect(started).to.deep.equal([])
    expect(turns).to.have.length(1)
    turn()
    expect(started).to.deep.equal([1, 2])
    add(6)
    turn()
    expect(started).to.deep.equal([1, 2, 3, 4])
    turn()
    expect(started).to.deep.equal([1, 2, 3, 4, 5, 6])
    expect(queue.size).to.equal(0)
    expect(turns).to.have.length(0)
  })

  it('does not start what was removed, which takes no place of a turn', () => {
    const { started, add, turn } = byHand(2)
    const [, second] = add(1, 2, 3)
    second?.()
    second?.()
    turn()
    expect(started).to.deep.equal([1, 3])
  })

  it('starts a task that is added by a task in a later turn', () => {
    const { queue, started, turn } = byHand(2)
    queue.add(() => queue.add(() => started.push(1)))
    turn()
    expect(started).to.deep.equal([])
    turn()
    expect(started).to.deep.equal([1])
  })

  it('goes on after a task that throws', () => {
    const { queue, started, add, turn } = byHand(2)
    queue.add(() => {
      throw new Error('broken')
    })
    add(1, 2, 3)
    expect(turn).to.throw('broken')
    turn()
    turn()
    expect(started).to.deep.equal([1, 2, 3])
  })
})
