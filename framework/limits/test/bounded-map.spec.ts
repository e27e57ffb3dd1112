import { expect } from 'chai'
import { BoundedMap } from '../src/bounded-map.js'

describe('a bounded map', () => {
  it('evicts what was set longest ago', () => {
    const map = new BoundedMap<string, number>(2)
    map.set('a', 1).set('b', 2).set('a', 3).set('c', 4)
    expect([...map]).to.deep.equal([
      ['a', 3],
      ['c', 4]
    ])
  })

  it('does not count reading as use', () => {
    const map = new BoundedMap<string, number>(2)
    map.set('a', 1).set('b', 2)
    expect(map.get('a')).to.equal(1)
    map.set('c', 3)
    expect([...map.keys()]).to.deep.equal(['b', 'c'])
  })
})
