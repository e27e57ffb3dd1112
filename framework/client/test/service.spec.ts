import type { RystraError } from '@rystra/model'
import { expect } from 'chai'
import { parseService } from '../src/service.js'

describe('the address of a service', () => {
  it('is a host and a port, a port of this machine, or a socket', () => {
    expect(parseService('db.local:5432')).to.deep.equal({ host: 'db.local', port: 5432 })
    expect(parseService('[::1]:22')).to.deep.equal({ host: '::1', port: 22 })
    expect(parseService('3000')).to.deep.equal({ host: '127.0.0.1', port: 3000 })
    expect(parseService('unix:/run/app.sock')).to.deep.equal({ path: '/run/app.sock' })
  })

  for (const text of ['', ':22', 'host', 'host:0', 'host:65536', '::1:22', 'unix:', 'a b:c', '1.2.3.4:22x']) {
    it(`is not ${JSON.stringify(text)}`, () => {
      expect(() => parseService(text))
        .to.throw()
        .with.property('code', 'proxy.invalid' satisfies RystraError['code'])
    })
  }
})
