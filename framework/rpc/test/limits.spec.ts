import { expect } from 'chai'
import { MAX_FRAME_BYTES, MAX_MESSAGE_BYTES, MAX_METADATA_BYTES, MAX_NAME_BYTES } from '../src/limits.js'

describe('limits', () => {
  it('leave room in one frame for a name and metadata', () => {
    expect(MAX_FRAME_BYTES).to.be.greaterThan(MAX_NAME_BYTES + MAX_METADATA_BYTES + 64)
  })

  it('let a message have many frames', () => {
    expect(MAX_MESSAGE_BYTES).to.be.at.least(16 * MAX_FRAME_BYTES)
  })

  it('fit their fields', () => {
    expect(MAX_NAME_BYTES).to.be.at.most(0xff)
    expect(MAX_METADATA_BYTES).to.be.at.most(0xffff)
  })
})
