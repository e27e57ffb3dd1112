import { expect } from 'chai'
import fc from 'fast-check'
import {
  errorTable,
  fromWireError,
  isErrorCode,
  isExtensionCode,
  isRefusal,
  isRystraError,
  registerErrors,
  RystraError,
  toRystraError,
  toWireError
} from '../src/index.js'

describe('an error', () => {
  it('says side, message and detail, and takes the rest from the table', () => {
    const error = new RystraError('proxy.port-taken', { side: 'server', detail: '20022' })
    expect(error.message).to.equal('server: the port is not available: 20022')
    expect(error).to.include({
      name: 'RystraError',
      code: 'proxy.port-taken',
      scope: 'stream',
      retryable: true,
      exitCode: 6
    })
    expect(error.hint).to.equal(errorTable['proxy.port-taken'].hint)
    expect(new RystraError('internal', { hint: 'try again' }).hint).to.equal('try again')
  })

  it('keeps its cause', () => {
    const cause = new Error('deep down')
    expect(new RystraError('internal', { cause }).cause).to.equal(cause)
  })

  it('is recognised, also when another copy of the package made it', () => {
    const foreign = Object.defineProperty(new Error('x'), Symbol.for('rystra.error'), { value: true })
    expect(isRystraError(new RystraError('internal'))).to.equal(true)
    expect(isRystraError(foreign)).to.equal(true)
  })

  it('is not taken for one when it is not one', () => {
    const forged = { [Symbol.for('rystra.error')]: true, code: 'internal' }
    for (const value of [new Error('x'), { code: 'internal' }, forged, undefined, null, 'internal', 1]) {
      expect(isRystraError(value)).to.equal(false)
    }
  })

  it('is made of anything that was thrown, and stays what it is', () => {
    const error = new RystraError('auth.refused')
    expect(toRystraError(error, 'internal')).to.equal(error)
    const thrown = new Error('no such file')
    expect(toRystraError(thrown, 'config.syntax')).to.include({
      code: 'config.syntax',
      detail: 'no such file',
      cause: thrown
    })
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(isRystraError(toRystraError(value))).to.equal(true)
      })
    )
  })
})

describe('an error on the wire', () => {
  it('is code and detail, and nothing else', () => {
    const error = new RystraError('stream.refused', {
      detail: 'closed now',
      cause: new Error('/etc/secret'),
      hint: 'x',
      side: 'client'
    })
    expect(toWireError(error)).to.deep.equal({ code: 'stream.refused', detail: 'closed now' })
    expect(toWireError(new RystraError('stream.reset'))).to.deep.equal({ code: 'stream.reset' })
  })

  it('says nothing of a foreign error', () => {
    expect(toWireError(new Error('/home/user/token'))).to.deep.equal({ code: 'internal' })
    expect(toWireError('a string')).to.deep.equal({ code: 'internal' })
  })

  it('comes back as the same, with the side it came from', () => {
    const back = fromWireError(toWireError(new RystraError('proxy.limit', { detail: '256' })), 'server')
    expect(back).to.include({ code: 'proxy.limit', detail: '256', side: 'server' })
  })

  it('becomes `internal`, and keeps the code for people, when it has the form of no code', () => {
    const codes = ['quantum', 'Quantum.Entangled', 'a.b.c', 'a..b', '.b', 'a.', 'a.b\u202e', `${'a'.repeat(33)}.b`]
    for (const code of codes) {
      const back = fromWireError({ code, detail: 'twice' }, 'client')
      expect(back, code).to.include({ code: 'internal', detail: `${code}: twice` })
    }
  })

  it('keeps a code of an extension, with the text that came with it', () => {
    const back = fromWireError(
      { code: 'quantum.entangled', detail: 'twice', text: 'it is elsewhere', retryable: true },
      'client'
    )
    expect(back).to.include({ code: 'quantum.entangled', detail: 'twice', scope: 'stream', retryable: true })
    expect(back.message).to.equal('client: it is elsewhere: twice')
    expect(fromWireError({ code: 'quantum.gone' }, 'client').message).to.equal(
      'client: error quantum.gone of an extension'
    )
    expect(toWireError(back)).to.deep.equal({
      code: 'quantum.entangled',
      detail: 'twice',
      text: 'it is elsewhere',
      retryable: true
    })
  })

  it('has text and hint of an extension that is loaded here', () => {
    registerErrors('office-hours', { closed: { text: 'the office is closed', hint: 'come back at 9:00' } })
    const error = fromWireError({ code: 'office-hours.closed', text: 'something else', retryable: true }, 'server')
    expect(error.message).to.equal('server: the office is closed')
    expect(error).to.include({ hint: 'come back at 9:00', retryable: false })
    expect(isRefusal(error.code)).to.equal(true)
    expect(['stream.refused', 'stream.reset', 'internal'].map(isRefusal)).to.deep.equal([true, false, false])
    expect(() => registerErrors('Mine', { x: { text: 'x' } })).to.throw(TypeError, /not an error code/)
    expect(() => registerErrors('guard', { x: { text: '' } })).to.throw(TypeError, /guard\.x needs a text/)
  })

  it('cannot name a property of Object as its code', () => {
    for (const code of ['constructor', 'toString', '__proto__', 'hasOwnProperty', '']) {
      expect(isErrorCode(code), code).to.equal(false)
      expect(fromWireError({ code }, 'server').code).to.equal('internal')
    }
    fc.assert(
      fc.property(fc.string(), fc.option(fc.string(), { nil: undefined }), (code, detail) => {
        const error = fromWireError({ code, ...(detail === undefined ? {} : { detail }) }, 'server')
        expect(error.code).to.equal(isErrorCode(code) || isExtensionCode(code) ? code : 'internal')
      })
    )
  })
})

describe('the table of codes', () => {
  for (const [code, entry] of Object.entries(errorTable)) {
    it(`${code} is told in words, with what to do next`, () => {
      expect(code).to.match(/^[a-z]+(\.[a-z]+(-[a-z]+)*)?$/)
      expect(entry.message).to.match(/^[^A-Z].*[^.]$/)
      expect(entry.hint).to.match(/^[^A-Z].*[^.]$/)
      expect(entry.exitCode).to.be.within(1, 8)
    })
  }
})
