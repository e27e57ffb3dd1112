import { expect } from 'chai'
import fc from 'fast-check'
import { randomBytes } from 'node:crypto'
import type { Quiche } from '../src/binding.js'
import { Gate, Tokens } from '../src/gate.js'
import { newId, readInitialToken, readLongHeader, versionNegotiation } from '../src/packet.js'

/** An Initial packet, RFC 9000 section 17.2.2, whose protected part is random. */
const initial = (token: Buffer = Buffer.alloc(0), dcid: Buffer = randomBytes(8)): Buffer => {
  const head = Buffer.concat([
    Buffer.from([0xc3, 0, 0, 0, 1, dcid.length]),
    dcid,
    Buffer.from([16]),
    randomBytes(16),
    Buffer.from([0x40, token.length]),
    token
  ])
  const rest = 1200 - head.length - 2
  const length = Buffer.alloc(2)
  length.writeUInt16BE(0x4000 | rest)
  return Buffer.concat([head, length, randomBytes(rest)])
}

/** A gate whose quiche fails the test if it is called, but for a retry. */
const gate = (retryAbove: number, tokens = new Tokens()) => {
  const retries: Uint8Array[] = []
  const replies: Buffer[] = []
  const fails = (name: string) => (): never => {
    throw new Error(`quiche.${name} was called`)
  }
  const quiche = {
    Config: { withBoringSslCtx: fails('Config') },
    Connection: { connect: fails('connect'), accept: fails('accept') },
    retry: (_scid: Uint8Array, _dcid: Uint8Array, _id: Uint8Array, token: Uint8Array) => retries.push(token)
  } as unknown as Quiche
  const made = new Gate(
    quiche,
    { retryAbove, maxHandshakes: 8, reply: (packet) => replies.push(Buffer.from(packet)) },
    tokens
  )
  return { gate: made, retries, replies }
}

describe('packets of unknown senders', () => {
  it('are parsed here: ids, version, and the token of an Initial', () => {
    const token = randomBytes(50)
    const packet = initial(token)
    const header = readLongHeader(packet)
    expect(header?.version).to.equal(1)
    expect([header?.dcid.length, header?.scid.length]).to.deep.equal([8, 16])
    expect(header === undefined ? undefined : readInitialToken(packet, header)).to.deep.equal(token)
  })

  it('are admitted only as a valid Initial of a client', () => {
    const { gate: open } = gate(8)
    expect(open.decide(initial(), '192.0.2.1', 1)).to.deep.equal({ retryId: null, originalId: null })
    const with8 = (byte: number, at: number) => (packet: Buffer) => {
      packet[at] = byte
      return packet
    }
    const with16 = (value: number, at: number) => (packet: Buffer) => {
      packet.writeUInt16BE(value, at)
      return packet
    }
    const broken: [string, (packet: Buffer) => Buffer][] = [
      ['no fixed bit', with8(0x83, 0)],
      ['a Handshake packet', with8(0xe3, 0)],
      ['a Retry packet', with8(0xf3, 0)],
      ['a short header', with8(0x43, 0)],
      ['a connection id of 21 bytes', with8(21, 5)],
      ['a destination id of 7 bytes', () => initial(undefined, randomBytes(7))],
      ['a token longer than the packet', with16(0x7fff, 31)],
      ['a length beyond the packet', with16(0x7fff, 33)],
      ['a length of nothing', with16(0x4000, 33)],
      ['fewer than 1200 bytes', (packet) => packet.subarray(0, 1199)]
    ]
    for (const [what, change] of broken)
      expect(open.decide(change(initial()), '192.0.2.1', 1), what).to.equal(undefined)
  })

  it('are admitted with a token only at the address that it was issued for', () => {
    const tokens = new Tokens()
    const { gate: strict, retries } = gate(0, tokens)
    expect(strict.decide(initial(), '192.0.2.1', 1)).to.equal(undefined)
    expect(retries).to.have.length(1)
    const [originalId, retryId] = [randomBytes(8), newId()]
    const token = tokens.issue(originalId, retryId, '192.0.2.1', 1)
    expect(strict.decide(initial(token, retryId), '192.0.2.1', 1)?.originalId).to.deep.equal(originalId)
    expect(strict.decide(initial(token, retryId), '192.0.2.2', 1)).to.equal(undefined)
    expect(strict.decide(initial(token, newId()), '192.0.2.1', 1)).to.equal(undefined)
  })

  it('never reach quiche, whatever they contain', () => {
    const { gate: strict, replies } = gate(0)
    const mutated = fc
      .tuple(fc.uint8Array({ minLength: 0, maxLength: 60 }), fc.nat(40), fc.integer({ min: 0, max: 1300 }))
      .map(([bytes, at, length]) => {
        const packet = Buffer.concat([initial(), Buffer.alloc(100)]).subarray(0, length)
        Buffer.from(bytes).copy(packet, Math.min(at, packet.length))
        return packet
      })
    fc.assert(
      fc.property(mutated, (packet) => {
        const before = replies.length
        strict.decide(packet, '192.0.2.1', 1)
        for (const reply of replies.slice(before)) expect(reply.length).to.be.at.most(packet.length)
      }),
      { numRuns: 600 }
    )
  })

  it('of another version are told the supported one', () => {
    const packet = initial()
    packet.writeUInt32BE(0x1a2a3a4a, 1)
    const header = readLongHeader(packet)
    if (header === undefined) throw new Error('no header')
    const answer = versionNegotiation(header)
    expect([answer.readUInt32BE(1), answer.readUInt32BE(answer.length - 4)]).to.deep.equal([0, 1])
    const back = readLongHeader(answer)
    expect([back?.dcid, back?.scid]).to.deep.equal([header.scid, header.dcid])
  })
})
