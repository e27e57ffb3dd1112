import { isRystraError } from '@rystra/model'
import { expect } from 'chai'
import { connectFields, parseServerAddresses } from '../src/address.js'
import { encodeJoin } from '../src/join/join-string.js'
import { configuredName } from '../src/run/server-name.js'
import { targetOf } from '../src/run/target.js'

const token = 'a-token-for-tests-0123456789'
const options = { cwd: '/', token, dial: [] }

const refusal = async (work: () => Promise<unknown>): Promise<string> => {
  try {
    await work()
  } catch (error) {
    expect(isRystraError(error) && error.code).to.equal('usage.invalid')
    return (error as Error).message
  }
  return expect.fail('it was taken')
}

describe('several servers on the command line', () => {
  it('are one entry each, and a single one is as before', async () => {
    const one = await targetOf({ ...options, to: ['tls://a.example.net'] })
    expect(one.connect).to.deep.equal({ transport: 'tls', host: 'a.example.net', port: 7000 })
    const two = await targetOf({ ...options, to: ['tls://a.example.net', '[::1]:7001'], dial: ['ca=ca.pem'] })
    expect(two.connect).to.deep.equal({ transport: 'tls', servers: ['a.example.net:7000', '[::1]:7001'], ca: 'ca.pem' })
  })

  it('have one transport, and no join string among them', async () => {
    const mixed = await refusal(() => targetOf({ ...options, to: ['tls://a', 'quic://b'] }))
    expect(mixed).to.contain('--to: expected one transport for all servers, got tls and quic')
    const join = { transport: 'tls', host: 'a', port: 1, more: ['b:2'], token, once: false, fields: {} }
    const word = encodeJoin(join)
    expect(await refusal(() => targetOf({ ...options, to: [word, 'b'] }))).to.contain('a join string stands alone')
    expect(await refusal(() => targetOf({ ...options, to: ['a', '::1:7'] }))).to.contain('--to: expected [::1]:7')
    const { connect } = await targetOf({ ...options, join: word })
    expect(connect).to.deep.equal({ transport: 'tls', servers: ['a:1', 'b:2'] })
  })

  it('are taken from RYSTRA_SERVER with commas between', async () => {
    const before = process.env['RYSTRA_SERVER']
    process.env['RYSTRA_SERVER'] = 'tls://a:1, b:2'
    try {
      expect((await targetOf(options)).connect).to.deep.equal({ transport: 'tls', servers: ['a:1', 'b:2'] })
    } finally {
      if (before === undefined) delete process.env['RYSTRA_SERVER']
      else process.env['RYSTRA_SERVER'] = before
    }
  })

  it('are named as they are configured', () => {
    expect(connectFields(parseServerAddresses(['a'], '--to', 'quic'))).to.include({ transport: 'quic' })
    expect(configuredName({ transport: 'tls', port: 7000, servers: ['a:1', { host: '::1' }] })).to.equal(
      'tls://a:1, [::1]:7000'
    )
    expect(configuredName({ transport: 'tls', port: 7000, host: 'a' })).to.equal('tls://a:7000')
    expect(configuredName({ srv: '_rystra._tcp.example.net' })).to.equal('_rystra._tcp.example.net (tcp)')
  })
})
