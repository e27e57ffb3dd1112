import { expect } from 'chai'
import { fuzz } from './fuzzer.js'

describe('random peers', () => {
  it('end no process, and leave no descriptor behind', async () => {
    expect(await fuzz({ seconds: 1, seed: 1 })).to.be.greaterThan(150)
  })
})
