import { expect } from 'chai'
import { publicAddress } from '../src/public-address.js'

describe('the address that people are shown', () => {
  it('is that of the server the client dialed, where the server binds every address', () => {
    expect(publicAddress('0.0.0.0:20022', 'tunnel.example.org')).to.equal('tunnel.example.org:20022')
    expect(publicAddress('[::]:20022', '2001:db8::1')).to.equal('[2001:db8::1]:20022')
  })

  it('is what the server says, otherwise', () => {
    for (const address of ['203.0.113.7:20022', 'https://app.example.org', 'name']) {
      expect(publicAddress(address, 'tunnel.example.org')).to.equal(address)
    }
  })
})
