import { expect } from 'chai'
import { RystraError } from '@rystra/model'
import { ClientHandshake, encode, type Fields, type HelloAck } from '@rystra/protocol'
import { sample } from './vectors.js'
import { offer, proof, codeOf, upTo } from './handshakes.js'

describe('the client in the handshake', () => {
  const started = () => {
    const client = new ClientHandshake(offer)
    client.start()
    return client
  }
  const ack = (change: Partial<Fields<'HelloAck'>>): Uint8Array =>
    encode({ ...(sample('HelloAck').message as HelloAck), ...change })

  it('throws what the server refuses with, at any time', () => {
    const error = encode({ type: 'Error', code: 'session.limit' })
    const clients = [started(), upTo('challenge').client, upTo('auth').client]
    for (const client of clients) {
      expect(() => client.push(error))
        .to.throw(RystraError, /^server: /)
        .with.property('code', 'session.limit')
      expect(client.over).to.equal(true)
    }
    expect(
      codeOf(() => started().push(Buffer.concat([ack({}), error]))),
      'right behind HelloAck'
    ).to.equal('session.limit')
  })

  it('lets no control characters through, whatever the code', () => {
    const detail = 'wipe \u001b[2J\nthe \u202escreen'
    expect(() => started().push(encode({ type: 'Error', code: 'newCode', detail })))
      .to.throw('server: internal error: newCode: wipe [2J the screen')
      .with.property('code', 'internal')
    expect(() => started().push(encode({ type: 'Error', code: 'new.code', detail, text: 'a \u2066new\n code' })))
      .to.throw('server: a new code: wipe [2J the screen')
      .with.property('code', 'new.code')
  })

  it('knows a server that speaks something else', () => {
    for (const bytes of [
      'HTTP/1.1 400 Bad Request\r\n',
      'SSH-2.0-OpenSSH_9.9\r\n',
      '\u0015\u0003\u0001\u0000\u0002',
      '\u0000'
    ]) {
      expect(
        codeOf(() => started().push(Buffer.from(bytes, 'latin1'))),
        JSON.stringify(bytes)
      ).to.equal('protocol.not-rystra')
    }
  })

  it('says what else the server seems to be, and which transport it needs', () => {
    for (const [bytes, detail, hint] of [
      ['HTTP/1.1 400 Bad Request\r\nDate: x', 'an HTTP server answered: HTTP/1.1 400 Bad Request', 'ws or wss'],
      ['\u0015\u0003\u0001\u0000\u0002\u0002\u0046', 'it speaks TLS', 'tls, wss or http2'],
      ['\u0016\u0003\u0003', 'it speaks TLS', 'tls, wss or http2'],
      ['SSH-2.0-OpenSSH_9.9\r\n', 'it said: SSH-2.0-OpenSSH_9.9', 'check host, port and transport'],
      ['\u0000\u001b[2J', undefined, 'check host, port and transport']
    ] as const) {
      let thrown: unknown
      try {
        started().push(Buffer.from(bytes, 'latin1'))
      } catch (error) {
        thrown = error
      }
      expect(thrown, bytes).to.have.property('detail', detail)
      expect((thrown as RystraError).hint).to.contain(hint)
    }
  })

  it('takes nothing that it did not offer', () => {
    const choices: Partial<Fields<'HelloAck'>>[] = [
      { muxer: 'smux' },
      { method: 'none' },
      { features: ['resume', 'secret'] },
      { minor: 1 }
    ]
    for (const choice of choices) {
      expect(
        codeOf(() => started().push(ack(choice))),
        JSON.stringify(choice)
      ).to.equal('protocol.unexpected')
    }
    expect(started().push(ack({ features: ['resume'] }))).to.include({ type: 'challenge' })
  })

  it('takes each message only when it is its turn', () => {
    const { frame: ok } = sample('AuthOk')
    expect(codeOf(() => started().push(ok))).to.equal('protocol.not-rystra')
    expect(codeOf(() => started().push(Buffer.concat([ack({}), ok])))).to.equal('protocol.unexpected')
    expect(codeOf(() => upTo('challenge').client.push(ok))).to.equal('protocol.unexpected')
    expect(codeOf(() => upTo('auth').client.push(ack({})))).to.equal('protocol.unexpected')
    expect(codeOf(() => upTo('auth').client.push(sample('Heartbeat').frame))).to.equal('protocol.unexpected')
  })

  it('refuses an offer that no server would take, before anything is sent', () => {
    expect(codeOf(() => new ClientHandshake({ ...offer, id: '' }))).to.equal('protocol.malformed')
    expect(codeOf(() => new ClientHandshake({ ...offer, id: 'a\nb' }))).to.equal('protocol.malformed')
  })

  it('says so when it is used in the wrong order', () => {
    const client = new ClientHandshake(offer)
    expect(codeOf(() => client.push(Uint8Array.of(2)))).to.equal('internal')
    expect(codeOf(() => new ClientHandshake(offer).prove(proof))).to.equal('internal')
    const twice = started()
    expect(codeOf(() => twice.start())).to.equal('internal')
  })
})
