import { expect } from 'chai'
import { lastPorts } from '../src/last-ports.js'

describe('ports that the server chose', () => {
  it('are forgotten, the oldest first, before they take much memory', () => {
    const ports = lastPorts()
    for (let index = 0; index < 10_000; index += 1) ports.set(String(index), index)
    ports.set('0', 7)
    ports.set('one more', 8)
    expect([ports.get('1'), ports.get('0'), ports.get('one more')]).to.deep.equal([undefined, 7, 8])
  })
})
