import { expect } from 'chai'
import { RystraError } from '@rystra/model'
import {
  choose,
  common,
  encode,
  type MessageOf,
  errorField,
  errorFrame,
  errorFrom,
  FrameDecoder
} from '@rystra/protocol'
import { checkPreface } from '../src/preface.js'
import { MAX_DETAIL } from '../src/limits.js'
import { hex, sample } from './vectors.js'

describe('the choice of the server', () => {
  it('is the first of its own that was offered', () => {
    expect(choose(['yamux', 'direct'], ['direct', 'yamux'])).to.equal('yamux')
    expect(choose(['smux', 'direct'], ['direct', 'yamux'])).to.equal('direct')
    expect(choose(['smux'], ['direct', 'yamux'])).to.equal(undefined)
    expect(choose([], ['direct'])).to.equal(undefined)
    expect(choose(['yamux'], [])).to.equal(undefined)
  })

  it('of features is what both can, each once', () => {
    expect(common(['a', 'b', 'c'], ['c', 'x', 'a', 'c'])).to.deep.equal(['c', 'a'])
    expect(common([], ['a'])).to.deep.equal([])
  })
})

describe('the preface', () => {
  const bytes = Uint8Array.of(0x52, 0x59, 0x53, 0x01, 0xff)

  it('is found at any cut, and what is behind it is not looked at', () => {
    for (let place = 0; place <= bytes.length; place++) {
      const first = checkPreface(0, bytes, 0, place)
      expect(first).to.equal(Math.min(place, 4))
      expect(checkPreface(first, bytes, place)).to.equal(4)
    }
  })

  it('of another major version says which', () => {
    expect(() => checkPreface(3, Uint8Array.of(2)))
      .to.throw('2, expected 1')
      .with.property('code', 'protocol.version')
  })
})

describe('an error on the wire', () => {
  it('says only code and detail', () => {
    const error = new RystraError('proxy.port-taken', {
      detail: '20022',
      cause: new Error('secret'),
      hint: 'x',
      side: 'server'
    })
    expect(errorField(error)).to.deep.equal({ code: 'proxy.port-taken', detail: '20022' })
    expect(errorField(new Error('/home/me'))).to.deep.equal({ code: 'internal' })
  })

  it('always fits into a message, whatever its detail', () => {
    const details = [
      'x'.repeat(5000),
      '🚇'.repeat(5000),
      `x${'🚇'.repeat(5000)}`,
      '\ud83d',
      'a\n\tb\u001b[31m',
      '',
      '☃'.repeat(1024)
    ]
    for (const detail of details) {
      const error = errorField(new RystraError('proxy.refused', { detail }))
      expect(error.detail?.length).to.be.at.most(MAX_DETAIL)
      expect(Buffer.from(error.detail ?? '').toString(), 'well-formed').to.equal(error.detail)
      expect(() => encode({ type: 'RegisterProxyAck', request: 1, error })).to.not.throw()
      expect(() => errorFrame(new RystraError('proxy.refused', { detail }), { detail: true })).to.not.throw()
    }
    expect(errorField(new RystraError('proxy.refused', { detail: 'a\n\tb\u001b[31m' })).detail).to.equal('a b [31m')
  })

  it('is the same on the other side', () => {
    const sent = new RystraError('stream.service-unreachable', { detail: 'connect ECONNREFUSED 127.0.0.1:22' })
    const decoder = new FrameDecoder()
    decoder.push(errorFrame(sent, { detail: true }))
    const got = errorFrom(decoder.next() as MessageOf<'Error'>, 'client')
    expect(got).to.include({ code: sent.code, detail: sent.detail, side: 'client' })
  })

  it('has no detail before authentication', () => {
    const frame = errorFrame(new RystraError('auth.refused', { detail: 'no such identity' }), { detail: false })
    expect(hex(frame)).to.equal(hex(sample('Error').frame))
  })
})
