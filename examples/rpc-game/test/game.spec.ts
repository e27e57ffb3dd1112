import { expect } from 'chai'
import { play } from '../src/game.js'

describe('the game', () => {
  for (const [transport, mode] of [
    ['quic', 'datagrams'],
    ['tcp', 'newest']
  ] as const) {
    it(`shows the same state to both over ${transport}, in ${mode}`, async () => {
      for (const { last, states, voice, ...played } of await play(transport, 20)) {
        expect(played.mode).to.equal(mode)
        expect(last).to.deep.equal({ alice: 20, bob: 20 })
        expect(states).to.be.greaterThan(10)
        expect(voice).to.be.greaterThan(80)
      }
    })
  }
})
