import { expect } from 'chai'
import {
  ClientHandshake,
  dataLinkOpening,
  earlyFields,
  encode,
  type Fields,
  type Hello,
  type HelloAck,
  joinTicket,
  preface,
  ServerHandshake,
  splitTicket,
  streamReadyFrame
} from '@rystra/protocol'
import { dataLinkProof } from '../src/data-link.js'
import { messageNames } from '../src/messages.js'
import { eachByte, outcomeOf } from './outcome.js'
import { hex, messageOf, sample, unhex, vectors } from './vectors.js'

const limit = 65536

describe('test vectors', () => {
  it('show every message', () => {
    expect(new Set(vectors.messages.map(({ message }) => message.type))).to.deep.equal(new Set(messageNames))
  })

  for (const { note, message, frame } of vectors.messages) {
    it(`${message.type}, ${note}: is encoded byte for byte, and read back`, () => {
      expect(hex(encode(messageOf(message)))).to.equal(frame)
      expect(outcomeOf([unhex(frame)], limit).messages).to.deep.equal([messageOf(message)])
    })
  }

  for (const { what, frames, messages } of vectors.accepted) {
    it(what, () => {
      expect(outcomeOf([unhex(frames)], limit)).to.deep.include({ messages: messages.map(messageOf) })
    })
  }

  for (const { what, frame, error, limit: bound } of vectors.refused) {
    it(`refused: ${what}`, () => {
      for (const pieces of [[unhex(frame)], eachByte(unhex(frame))]) {
        const outcome = outcomeOf(pieces, bound)
        expect(outcome.messages).to.deep.equal([])
        expect(outcome.error?.split(': ')[0]).to.equal(error)
      }
    })
  }

  for (const { id, secret, nonce, client, channel, data, proof } of vectors.early) {
    it('early data have the proof of their ticket', () => {
      const ticket = { id: unhex(id), secret: unhex(secret) }
      const { resume } = earlyFields(ticket, { nonce: unhex(nonce), id: client }, channel, unhex(data))
      expect(hex(resume)).to.equal(id + proof)
      expect(splitTicket(joinTicket(ticket))).to.deep.equal(ticket)
    })
  }

  it('a handshake is the same byte for byte, and so is its transcript', () => {
    const hello = sample('Hello').message as Hello
    const ack = sample('HelloAck').message as HelloAck
    const { early: _early, ...offer } = hello
    const client = new ClientHandshake(offer)
    const server = new ServerHandshake()

    const first = client.start()
    const request = server.push(first)
    const acked = server.accept(ack)
    const challenge = client.push(acked)
    const proved = client.prove((sample('Auth').message as Fields<'Auth'>).proof)
    const proof = server.push(proved)
    const { type: _type, ...fields } = sample('AuthOk').message as { type: string } & Fields<'AuthOk'>
    const done = server.authenticated(fields)

    expect(request).to.deep.equal({ type: 'hello', hello })
    expect(challenge).to.deep.equal({ type: 'challenge', ack, transcript: unhex(vectors.transcript) })
    expect(proof).to.deep.include({ type: 'auth', transcript: unhex(vectors.transcript) })
    expect(client.push(done)).to.deep.equal({ type: 'ok', ok: { type: 'AuthOk', ...fields } })
    const sent = [first.subarray(0, 4), first.subarray(4), acked, proved, done].map(hex)
    expect(sent).to.deep.equal(vectors.handshake.map(({ bytes }) => bytes))
  })

  it('the preface is theirs', () => {
    expect(hex(preface)).to.equal(vectors.preface)
  })

  it('the constant StreamReady frame is theirs', () => {
    expect(hex(streamReadyFrame)).to.equal(hex(sample('StreamReady').frame))
  })

  for (const { secret, session, counter, opens, proof, opening } of vectors.dataLinks) {
    it(`the proof of data link ${counter} is theirs`, () => {
      expect(hex(dataLinkProof(unhex(secret), session, counter, opens))).to.equal(proof)
      expect(hex(dataLinkOpening(unhex(secret), session, counter, opens))).to.equal(opening)
    })
  }
})
