import { expect } from 'chai'
import { readCount } from './instructions.js'

describe('what perf counted', () => {
  it('is the number of its last line, and nothing where the processor does not count', () => {
    expect(readCount('1234567,,instructions:u,5000,100.00,,\n')).to.equal(1_234_567)
    expect(readCount('a warning\n12.5,msec,task-clock,5,100.00,,\n')).to.equal(12.5)
    expect(readCount('<not supported>,,instructions:u,0,100.00,,\n')).to.equal(undefined)
    expect(readCount('<not counted>,,instructions:u,0,0.00,,\n')).to.equal(undefined)
    expect(readCount('')).to.equal(undefined)
  })
})
