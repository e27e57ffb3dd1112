import { isRystraError, type SessionInfo } from '@rystra/model'
import { earlyFields, earlyOf, encode, type Hello, MAX_EARLY_DATA, type ResumeTicket } from '@rystra/protocol'
import { expect } from 'chai'
import { randomBytes } from 'node:crypto'
import { ResumeTickets } from '../src/resume-tickets.js'

const tls = { version: 'TLSv1.3', cipher: 'unknown', alpn: 'rystra/1', serverName: 'tunnel.example.org' }

const sessionOf = (client = 'nas', identity = 'home'): SessionInfo => ({
  id: 's1',
  identity: { id: identity },
  client: { id: client, instance: 'i', agent: 'rystra/0.1.0' },
  peer: { address: '203.0.113.9', port: 4711, tls },
  transport: 'quic',
  muxer: 'native',
  since: 0
})

const helloBy = (ticket: ResumeTicket, id = 'nas', data = Buffer.from('calls')): Hello => {
  const nonce = new Uint8Array(randomBytes(32))
  const base = { minor: 0, id, instance: 'i', agent: 'a', muxers: [], auth: [], nonce, features: [] }
  return { type: 'Hello', ...base, ...earlyFields(ticket, base, 'rpc', data) }
}

const MINUTE_MS = 60_000

describe('tickets for early data', () => {
  const link = sessionOf()
  let tickets: ResumeTickets

  beforeEach(() => {
    tickets = new ResumeTickets()
  })

  /** The identity that a Hello gets, or why it is refused. */
  const taken = (hello: Hello, { generation = 1, now = 0, over = link } = {}): string | undefined => {
    const early = earlyOf(hello)
    if (early === undefined) throw new Error('no early data')
    try {
      return tickets.take(hello, early, over, generation, now).identity.id
    } catch (error) {
      return isRystraError(error) && error.code === 'session.not-resumed' ? error.detail : String(error)
    }
  }

  it('let the client in that they were given to, once', () => {
    const hello = helloBy(tickets.issue(sessionOf(), 1, 0))
    expect(taken(hello)).to.equal('home')
    expect(taken(hello), 'the same bytes again').to.equal('no such ticket, or one that was used')
    expect(tickets.size).to.equal(0)
  })

  it('are refused when they are made up, another client’s, or too old', () => {
    const made = { id: new Uint8Array(16), secret: new Uint8Array(32) }
    expect(taken(helloBy(made))).to.equal('no such ticket, or one that was used')
    expect(taken(helloBy(tickets.issue(sessionOf('nas'), 1, 0), 'office'))).to.equal('the ticket of another client')
    expect(taken(helloBy(tickets.issue(sessionOf(), 1, 0)), { now: 10 * MINUTE_MS })).to.equal('the ticket has expired')
  })

  it('are refused after a change of the extensions, and on another kind of link', () => {
    expect(taken(helloBy(tickets.issue(sessionOf(), 1, 0)), { generation: 2 })).to.equal(
      'the extensions have changed since'
    )
    const { peer } = link
    for (const over of [
      { ...link, transport: 'other' },
      { ...link, peer: { ...peer, tls: { ...tls, alpn: 'h3' } } },
      { ...link, peer: { ...peer, tls: { ...tls, serverName: 'other.example.org' } } }
    ]) {
      expect(taken(helloBy(tickets.issue(sessionOf(), 1, 0)), { over })).to.equal(
        'the ticket is for another kind of link'
      )
    }
  })

  it('are refused when a byte of nonce, id, channel, data or proof is another one', () => {
    const change: readonly ((hello: Hello) => Partial<Hello>)[] = [
      () => ({ nonce: new Uint8Array(32) }),
      () => ({ channel: 'rpd' }),
      ({ early = new Uint8Array() }) => ({ early: early.map((byte) => byte ^ 1) }),
      ({ resume = new Uint8Array() }) => ({ resume: resume.map((byte, at) => (at === 47 ? byte ^ 1 : byte)) })
    ]
    for (const changed of change) {
      const hello = helloBy(tickets.issue(sessionOf(), 1, 0))
      expect(taken({ ...hello, ...changed(hello) })).to.equal('the proof is not valid')
    }
  })

  it('are one for each client, the newest, and bounded', () => {
    const before = tickets.issue(sessionOf(), 1, 0)
    const after = tickets.issue(sessionOf(), 1, 0)
    expect(taken(helloBy(before))).to.equal('no such ticket, or one that was used')
    for (let client = 0; client < 5000; client += 1) tickets.issue(sessionOf(`c${client}`), 1, 0)
    expect(tickets.size).to.equal(4096)
    expect(taken(helloBy(after))).to.equal('no such ticket, or one that was used')
    tickets.issue(sessionOf('last'), 1, 10 * MINUTE_MS)
    expect(tickets.size, 'expired ones are gone').to.equal(1)
  })

  it('carry no more data than a Hello has room for', () => {
    const ticket = tickets.issue(sessionOf(), 1, 0)
    expect(() => encode(helloBy(ticket, 'nas', Buffer.alloc(MAX_EARLY_DATA)))).not.to.throw()
    expect(() => encode(helloBy(ticket, 'nas', Buffer.alloc(MAX_EARLY_DATA + 1)))).to.throw('early')
  })
})
