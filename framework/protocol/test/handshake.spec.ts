import { expect } from 'chai'
import {
  AUTH_ROUNDS,
  ClientHandshake,
  type ClientRequest,
  encode,
  MAX_AUTH_ROUNDS,
  MAX_PROOF,
  type Message,
  type Offer,
  preface,
  ServerHandshake,
  type ServerRequest
} from '@rystra/protocol'
import { eachByte } from './outcome.js'
import { hex, sample, unhex } from './vectors.js'
import { offer, acceptance, proof, granted, opening, lastOf, codeOf, messageIn, upTo } from './handshakes.js'

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
