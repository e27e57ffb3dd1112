import { expect } from 'chai'
import { RystraError } from '@rystra/model'
import {
  AUTH_ROUNDS,
  type Acceptance,
  ClientHandshake,
  type ClientRequest,
  dataLinkOpening,
  encode,
  type Fields,
  FrameDecoder,
  type HelloAck,
  MAX_AUTH_ROUNDS,
  MAX_PROOF,
  type Message,
  type Offer,
  preface,
  ServerHandshake,
  type ServerRequest
} from '@rystra/protocol'
import { cutAt, eachByte } from './outcome.js'
import { hex, sample, unhex } from './vectors.js'

const offer: Offer = {
  id: 'home-nas',
  instance: 'b3f1c2d4',
  agent: 'rystra/0.1.0',
  muxers: ['yamux', 'direct'],
  auth: ['token'],
  features: ['datagrams', 'resume']
}
const acceptance: Acceptance = {
  muxer: 'direct',
  method: 'token',
  agent: 'rystra/0.1.0',
  features: ['resume', 'other']
}
const proof = new Uint8Array(32).fill(7)
const granted: Fields<'AuthOk'> = {
  session: 's-1',
  identity: 'home',
  heartbeat: 15000,
  limits: { proxies: 256, streams: 10000 }
}

const opening = (): Uint8Array => new ClientHandshake(offer).start()

const lastOf = <Request>(handshake: { push(piece: Uint8Array): Request | undefined }, pieces: Iterable<Uint8Array>) => {
  let last: Request | undefined
  for (const piece of pieces) {
    const memory = new Uint8Array(piece)
    last = handshake.push(memory) ?? last
    memory.fill(0xa5)
  }
  return last
}

const codeOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    return (error as RystraError).code
  }
  return 'nothing was thrown'
}

const messageIn = (frame: Uint8Array | undefined): Message | undefined => {
  const decoder = new FrameDecoder()
  decoder.push(frame ?? new Uint8Array())
  return decoder.next()
}

/** Both ends up to the point named. */
const upTo = (point: 'hello' | 'challenge' | 'auth') => {
  const client = new ClientHandshake(offer)
  const server = new ServerHandshake()
  server.push(client.start())
  if (point === 'hello') return { client, server }
  client.push(server.accept(acceptance))
  if (point === 'challenge') return { client, server }
  server.push(client.prove(proof))
  return { client, server }
}

describe('the handshake', () => {
  for (const [how, cut] of [
    ['in whole frames', (bytes: Uint8Array) => [bytes]],
    ['byte by byte', eachByte]
  ] as const) {
    it(`brings both ends to the same transcript and to AuthOk, ${how}`, () => {
      const client = new ClientHandshake(offer)
      const server = new ServerHandshake()

      const request = lastOf<ServerRequest>(server, cut(client.start()))
      expect(request).to.deep.include({ type: 'hello' })
      expect(request?.type === 'hello' && request.hello.muxers).to.deep.equal(['yamux', 'direct'])

      const challenged = lastOf<ClientRequest>(client, cut(server.accept(acceptance)))
      if (challenged?.type !== 'challenge') throw new Error('no challenge')
      expect(challenged.ack).to.deep.include({ minor: 0, muxer: 'direct', method: 'token', features: ['resume'] })

      const proved = lastOf<ServerRequest>(server, cut(client.prove(proof)))
      expect(proved).to.deep.equal({ type: 'auth', proof, transcript: challenged.transcript })
      expect(challenged.transcript).to.have.length(32)

      const ok = lastOf<ClientRequest>(client, cut(server.authenticated(granted)))
      expect(ok).to.deep.equal({ type: 'ok', ok: { type: 'AuthOk', ...granted } })
      expect([client.over, server.over]).to.deep.equal([true, true])
    })
  }

  describe('in several rounds', () => {
    const features = [AUTH_ROUNDS]
    const ends = (known: { client?: boolean; server?: boolean } = {}) => {
      const client = new ClientHandshake({ ...offer, features: known.client === false ? [] : features })
      const server = new ServerHandshake()
      server.push(client.start())
      client.push(server.accept({ ...acceptance, features: known.server === false ? [] : features }))
      server.push(client.prove(proof))
      return { client, server }
    }
    const large = new Uint8Array(MAX_PROOF).fill(9)

    it('goes on with challenges and proofs of the largest size, up to the limit of rounds', () => {
      const { client, server } = ends()
      for (let round = 1; round < MAX_AUTH_ROUNDS; round += 1) {
        expect(server.mayChallenge, `round ${round}`).to.equal(true)
        const request = lastOf<ClientRequest>(client, eachByte(server.challenge(large)))
        expect(request).to.deep.equal({ type: 'round', challenge: large })
        expect(server.push(client.prove(large))).to.deep.include({ type: 'auth', proof: large })
      }
      expect(server.mayChallenge).to.equal(false)
      expect(codeOf(() => server.challenge(large))).to.equal('internal')
      expect(client.push(server.authenticated(granted))).to.deep.include({ type: 'ok' })
    })

    it('is refused by a client for one challenge too many, and without the feature', () => {
      const { client } = ends()
      const challenge = encode({ type: 'AuthChallenge', challenge: proof })
      for (let round = 1; round < MAX_AUTH_ROUNDS; round += 1) {
        client.push(challenge)
        client.prove(proof)
      }
      expect(codeOf(() => client.push(challenge))).to.equal('protocol.unexpected')
      for (const known of [{ client: false }, { server: false }]) {
        const old = ends(known)
        expect(old.server.mayChallenge).to.equal(false)
        expect(codeOf(() => old.client.push(challenge))).to.equal('protocol.unexpected')
      }
    })

    it('takes nothing before its turn', () => {
      const challenge = encode({ type: 'AuthChallenge', challenge: proof })
      expect(codeOf(() => ends().client.push(Buffer.concat([challenge, challenge])))).to.equal('protocol.unexpected')
      const { client, server } = ends()
      client.push(server.challenge(proof))
      const auth = client.prove(proof)
      expect(codeOf(() => server.push(Buffer.concat([auth, auth])))).to.equal('protocol.unexpected')
      const early = new ClientHandshake({ ...offer, features })
      early.start()
      expect(codeOf(() => early.push(challenge))).to.equal('protocol.not-rystra')
    })

    it('bounds a challenge to what both know', () => {
      const { client } = ends({ server: false })
      const header = encode({ type: 'AuthChallenge', challenge: large }).subarray(0, 4)
      expect(codeOf(() => client.push(header))).to.equal('protocol.too-large')
    })
  })

  it('leaves what comes behind AuthOk to the muxer', () => {
    const { client, server } = upTo('auth')
    const muxed = unhex('000000010000000100000000')
    const buffer = Buffer.concat([server.authenticated(granted), muxed])
    client.push(buffer)
    buffer.fill(0xa5)
    expect(client.rest()).to.deep.equal(muxed)
  })

  it('has another transcript each time, and another when one byte of it is changed', () => {
    const transcripts = Array.from({ length: 5 }, () => hex(upTo('challenge').client.transcript as Uint8Array))
    expect(new Set(transcripts).size).to.equal(5)

    const client = new ClientHandshake(offer)
    const server = new ServerHandshake()
    const first = Buffer.from(client.start())
    // An attacker on the path takes the better muxer out of the offer.
    first.write('YAMUX', first.indexOf('yamux'))
    server.push(first)
    client.push(server.accept(acceptance))
    expect(hex(client.transcript as Uint8Array)).to.not.equal(hex(server.transcript as Uint8Array))
  })

  it('agrees on the lower minor version', () => {
    const { message } = sample('Hello')
    const server = new ServerHandshake()
    server.push(Buffer.concat([preface, encode({ ...message, minor: 9 } as Message)]))
    expect(messageIn(server.accept(acceptance))).to.include({ minor: 0 })
  })

  it('ignores a few optional messages in between, but not many', () => {
    const optional = unhex('800000020102')
    const sixteen = Buffer.concat(Array.from({ length: 16 }, () => optional))
    const open = () => [preface, sixteen, opening().subarray(4)]
    expect(new ServerHandshake().push(Buffer.concat(open()))).to.include({ type: 'hello' })
    expect(codeOf(() => new ServerHandshake().push(Buffer.concat([preface, optional, ...open().slice(1)])))).to.equal(
      'protocol.unexpected'
    )
    const client = new ClientHandshake(offer)
    client.start()
    expect(codeOf(() => client.push(Buffer.concat([sixteen, optional])))).to.equal('protocol.unexpected')
  })
})

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

describe('early data in the handshake', () => {
  const ticket = { id: new Uint8Array(16).fill(1), secret: new Uint8Array(32).fill(2) }
  const early = { ticket, channel: 'rpc', data: new Uint8Array(8).fill(3) }

  /** A client and a server behind HelloAck. */
  const begun = (more: Partial<Offer>) => {
    const answers: (string | undefined)[] = []
    const onEarlyAnswer: Offer['onEarlyAnswer'] = ({ data, error }) =>
      answers.push(data === undefined ? error?.code : hex(data))
    const client = new ClientHandshake({ ...offer, ...more, onEarlyAnswer })
    const server = new ServerHandshake()
    const request = server.push(client.start())
    return { client, server, request, ack: server.accept(acceptance), answers }
  }

  it('are answered between HelloAck and AuthOk, however the bytes are cut', () => {
    for (const cut of [(bytes: Uint8Array) => [bytes], eachByte]) {
      const { client, server, request, ack, answers } = begun({ early })
      expect(request).to.have.nested.property('hello.channel', 'rpc')
      const first = server.earlyAnswer({ data: Uint8Array.of(0xab) }) as Uint8Array
      const requests = cut(Buffer.concat([ack, first])).map((piece) => client.push(piece))
      expect(requests.find((one) => one !== undefined)?.type).to.equal('challenge')
      server.push(client.prove(proof))
      const late = server.earlyAnswer({ error: { code: 'session.not-resumed' } }) as Uint8Array
      const end = cut(Buffer.concat([late, server.authenticated(granted)])).map((piece) => client.push(piece))
      expect(end.find((one) => one !== undefined)?.type).to.equal('ok')
      expect(answers).to.deep.equal(['ab', 'session.not-resumed'])
      expect(server.earlyAnswer({ data: Uint8Array.of(1) }), 'after AuthOk').to.equal(undefined)
    }
  })

  it('are not answered to a client that sent none, and not before HelloAck', () => {
    const { client, server, ack } = begun({})
    const answer = server.earlyAnswer({ data: Uint8Array.of(1) }) as Uint8Array
    expect(() => client.push(Buffer.concat([ack, answer]))).to.throw('EarlyAnswer')
    const other = begun({ early })
    expect(() => other.client.push(answer)).to.throw()
  })

  it('are left out where a Hello has no room for them', () => {
    const muxers = Array.from({ length: 16 }, (_, at) => `${at}`.padEnd(60, 'x'))
    const { request } = begun({
      muxers: [...muxers.slice(1), 'direct'],
      early: { ...early, data: new Uint8Array(3072) }
    })
    expect(request).to.have.property('type', 'hello')
    expect(request).not.to.have.nested.property('hello.early')
  })
})
