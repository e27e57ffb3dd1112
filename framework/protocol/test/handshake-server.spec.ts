import { expect } from 'chai'
import { RystraError } from '@rystra/model'
import { dataLinkOpening, MAX_PROOF, preface, ServerHandshake, type ServerRequest } from '@rystra/protocol'
import { cutAt, eachByte } from './outcome.js'
import { hex, sample, unhex } from './vectors.js'
import { acceptance, proof, granted, opening, codeOf, messageIn, upTo } from './handshakes.js'

describe('the server in the handshake', () => {
  it('knows another protocol at the first wrong byte, and answers nothing', () => {
    for (const [bytes, wrong] of [
      ['GET / HTTP/1.1\r\n', 0],
      ['SSH-2.0', 0],
      ['\u0016\u0003\u0001', 0],
      ['RX', 1],
      ['RYX', 2]
    ] as const) {
      const server = new ServerHandshake()
      const pieces = eachByte(Buffer.from(bytes, 'latin1'))
      for (const piece of pieces.slice(0, wrong)) expect(server.push(piece)).to.equal(undefined)
      let thrown: unknown
      try {
        server.push(pieces[wrong] as Uint8Array)
      } catch (error) {
        thrown = error
      }
      expect(thrown, bytes).to.have.property('code', 'protocol.not-rystra')
      expect(server.closingBytes(thrown), 'one byte of it says nothing yet').to.equal(undefined)
      expect(server.over).to.equal(true)
    }
  })

  const answerTo = (...pieces: string[]): string | undefined => {
    const server = new ServerHandshake()
    try {
      for (const piece of pieces) server.push(Buffer.from(piece, 'latin1'))
    } catch (error) {
      const bytes = server.closingBytes(error)
      return bytes === undefined ? undefined : Buffer.from(bytes).toString('latin1')
    }
    throw new Error('it was taken')
  }

  it('answers HTTP with status 400', () => {
    const text = 'This port speaks the Rystra protocol, not HTTP.\n'
    for (const line of [
      'GET / HTTP/1.1\r\n\r\n',
      'POST /cgi-bin/x HTTP/1.0\r\n',
      'OPTIONS * HTTP/1.1\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      'CONNECT example.org:443 HTTP/1.1\r\n',
      'GET http://example.org/ HTTP/1.1\r\n',
      'REPORT /dav HTTP/1.1\r\n'
    ]) {
      const said = answerTo(line) ?? ''
      expect(said, line).to.match(/^HTTP\/1\.1 400 Bad Request\r\nContent-Type: text\/plain/)
      const [head = '', body] = said.split('\r\n\r\n')
      expect(body, line).to.equal(text)
      expect(head)
        .to.contain(`\r\nContent-Length: ${text.length}\r\n`)
        .and.to.match(/\r\nConnection: close$/)
    }
    expect(answerTo('HEAD / HTTP/1.1\r\n'), 'no body for HEAD').to.match(/\r\n\r\n$/)
    expect(answerTo('R', 'EPORT /dav HTTP/1.1\r\n'), 'begins like Rystra').to.contain(text)
  })

  it('answers TLS with an alert', () => {
    expect(answerTo('\x16\x03\x01\x02\x00\x01')).to.equal('\x15\x03\x01\x00\x02\x02\x0a')
  })

  it('does not answer other protocols', () => {
    for (const said of [
      'SSH-2.0-OpenSSH\r\n',
      'EHLO example.org\r\n',
      'GET',
      'get / HTTP/1.1',
      '\x16',
      '\0',
      'RYX\0'
    ]) {
      expect(answerTo(said), said).to.equal(undefined)
    }
  })

  it('tells another major version so, in a frame that all versions understand', () => {
    const server = new ServerHandshake()
    let thrown: unknown
    try {
      server.push(Uint8Array.of(0x52, 0x59, 0x53, 0x02, 0xff, 0xff))
    } catch (error) {
      thrown = error
    }
    expect(thrown).to.have.property('code', 'protocol.version')
    expect(hex(server.closingBytes(thrown) as Uint8Array)).to.equal(
      '0500001781a4636f6465b070726f746f636f6c2e76657273696f6e'
    )
  })

  it('refuses with a code and nothing else', () => {
    const { server } = upTo('hello')
    const frame = server.refuse(new RystraError('session.refused', { detail: 'only in office hours' }))
    expect(messageIn(frame)).to.deep.equal({ type: 'Error', code: 'session.refused' })
    expect(server.over).to.equal(true)
  })

  it('does not say what was wrong with a proof', () => {
    for (const code of ['auth.refused', 'auth.server-unproven', 'auth.no-method'] as const) {
      const frame = upTo('auth').server.refuse(new RystraError(code, { detail: 'no such identity' }))
      expect(messageIn(frame)).to.deep.equal({ type: 'Error', code: 'auth.refused' })
    }
    expect(messageIn(upTo('auth').server.refuse(new RystraError('session.limit')))).to.include({
      code: 'session.limit'
    })
    expect(messageIn(upTo('auth').server.refuse(new Error('/etc/passwd')))).to.deep.equal({
      type: 'Error',
      code: 'internal'
    })
  })

  it('recognises a data link, and leaves what comes behind to the session', () => {
    const secret = new Uint8Array(32).fill(1)
    const bytes = Buffer.concat([dataLinkOpening(secret, 's-1', 5), Buffer.from('payload')])
    for (let place = 0; place <= bytes.length; place++) {
      const server = new ServerHandshake()
      let request: ServerRequest | undefined
      const after: Uint8Array[] = []
      for (const piece of cutAt(bytes, [place])) {
        const memory = new Uint8Array(piece)
        if (request !== undefined) after.push(piece)
        else request = server.push(memory)
        memory.fill(0xa5)
      }
      expect(request?.type === 'data' && request.hello, `cut at ${place}`).to.deep.include({
        session: 's-1',
        counter: 5
      })
      expect(Buffer.concat([server.rest(), ...after]).toString(), `cut at ${place}`).to.equal('payload')
      expect(server.over).to.equal(true)
    }
  })

  it('takes each message only when it is its turn', () => {
    const hello = opening().subarray(4)
    const others = ['HelloAck', 'Auth', 'AuthOk', 'Error', 'Heartbeat', 'OpenStream', 'StreamReady']
    for (const type of others) {
      const server = new ServerHandshake()
      expect(
        codeOf(() => server.push(Buffer.concat([preface, sample(type).frame]))),
        `${type} first`
      ).to.equal('protocol.unexpected')
      expect(server.over).to.equal(true)
    }
    const data = sample('DataHello').frame
    for (const [what, frame] of [
      ['Hello', hello],
      ['DataHello', data],
      ['Error', sample('Error').frame]
    ] as const) {
      const { server } = upTo('challenge')
      expect(
        codeOf(() => server.push(frame)),
        `${what} instead of Auth`
      ).to.equal('protocol.unexpected')
    }
  })

  it('takes nothing while it decides, be it behind the last message or by itself', () => {
    const auth = sample('Auth').frame
    expect(codeOf(() => new ServerHandshake().push(Buffer.concat([opening(), auth])))).to.equal('protocol.unexpected')
    expect(codeOf(() => upTo('hello').server.push(auth))).to.equal('protocol.unexpected')
    const { client, server } = upTo('challenge')
    expect(codeOf(() => server.push(Buffer.concat([client.prove(proof), auth])))).to.equal('protocol.unexpected')
    expect(codeOf(() => upTo('auth').server.push(auth))).to.equal('protocol.unexpected')
  })

  it('reads no more than 4 KiB in one message', () => {
    const server = new ServerHandshake()
    server.push(preface)
    expect(codeOf(() => server.push(unhex('01001001')))).to.equal('protocol.too-large')
  })

  it('reads a proof of 16 KiB, and not a byte more', () => {
    const { client, server } = upTo('challenge')
    const longest = new Uint8Array(MAX_PROOF).fill(7)
    const request = server.push(client.prove(longest))
    expect(request?.type === 'auth' && request.proof).to.deep.equal(longest)
    const other = upTo('challenge')
    expect(codeOf(() => other.client.prove(new Uint8Array(MAX_PROOF + 1)))).to.equal('protocol.malformed')
    expect(codeOf(() => other.server.push(unhex('03004041')))).to.equal('protocol.too-large')
    expect(codeOf(() => upTo('challenge').server.push(unhex('03004040')))).to.equal('nothing was thrown')
  })

  it('says so when it is used in the wrong order', () => {
    expect(codeOf(() => new ServerHandshake().accept(acceptance))).to.equal('internal')
    expect(codeOf(() => upTo('hello').server.authenticated(granted))).to.equal('internal')
    expect(codeOf(() => upTo('auth').server.accept(acceptance))).to.equal('internal')
    const { server } = upTo('auth')
    server.authenticated(granted)
    expect(codeOf(() => server.push(Uint8Array.of(1)))).to.equal('internal')
    expect(new ServerHandshake().push(new Uint8Array())).to.equal(undefined)
  })
})
