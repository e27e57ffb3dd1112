import { expect } from 'chai'
import type { Authenticator, PeerInfo } from '@rystra/plugin'
import { RystraError } from '@rystra/model'
import { preface } from '@rystra/protocol'
import type { Admitted } from '../src/index.js'
import type { ClientAuthenticated } from '../src/handshake-client.js'
import { failure, generation, pair, readUntilFor, registryOf, sessionInfo, turns, until, word } from './fakes.js'
import { serverSide, clientSide, both, codes, messagesOf } from './handshakes.js'

describe('a handshake', () => {
  it('gives up on silence with the reason of its deadline, at each step', async () => {
    const deadline = new AbortController()
    const [near, far] = pair()
    const server = failure(serverSide(far, { serverSignal: deadline.signal }))
    const client = failure(clientSide(pair()[0], { clientSignal: deadline.signal }))
    deadline.abort(new RystraError('protocol.timeout'))
    expect(codes({ server: await server, client: await client })).to.deep.equal([
      'protocol.timeout',
      'protocol.timeout'
    ])
    expect(messagesOf((await readUntilFor(near))[0])).to.deep.equal([{ type: 'Error', code: 'protocol.timeout' }])
    const late = await failure(clientSide(pair()[0], { clientSignal: deadline.signal }))
    expect(late.code).to.equal('protocol.timeout')

    // After HelloAck: the hook answers after the deadline.
    const second = new AbortController()
    const slow = generation({
      auth: async () => {
        second.abort(new RystraError('protocol.timeout'))
        return { identity: { id: 'home' } }
      }
    })
    const result = await both({ server: slow, serverSignal: second.signal })
    expect(codes(result)).to.deep.equal(['protocol.timeout', 'protocol.timeout'])
  })

  it('refuses what onHello denies, and gives the reason to its own log alone', async () => {
    const server = generation({ hello: () => Promise.resolve({ deny: 'a secret list' }) })
    const result = await both({ server })
    expect(codes(result)).to.deep.equal(['session.refused', 'session.refused'])
    expect((result.server as RystraError).detail).to.equal('a secret list')
    expect((result.client as RystraError).message).not.to.include('secret')
  })

  it('refuses a wrong proof, and tells the reason to its own log alone', async () => {
    const result = await both({ authenticators: { word: word('open barley') } })
    expect(codes(result)).to.deep.equal(['auth.refused', 'auth.refused'])
    expect((result.server as RystraError).detail).to.match(/wrong word/)
    expect((result.client as RystraError).message).not.to.include('wrong word')
  })

  it('refuses when a hook fails', async () => {
    const server = generation({ hello: () => Promise.reject(new TypeError('a bug with a secret')) })
    const result = await both({ server })
    expect(codes(result)).to.deep.equal(['internal', 'internal'])
    expect((result.client as RystraError).message).not.to.include('secret')
  })

  it('refuses when no method, or no muxer, is common to both', async () => {
    const foreign = await both({ authenticators: { other: { ...word('x'), method: 'other' } } })
    expect(codes(foreign)).to.deep.equal(['auth.no-method', 'auth.no-method'])
    const nothing = generation({}, { authenticators: registryOf({ word: { method: 'word' } }) })
    expect(codes(await both({ server: nothing }))).to.deep.equal(['auth.no-method', 'auth.no-method'])
    expect(codes(await both({ clientMuxers: ['smux'] }))).to.deep.equal(['registry.unknown', 'registry.unknown'])
  })

  it('sends nothing when the client has nothing to prove itself with', async () => {
    const [near, far] = pair()
    const error = await failure(clientSide(near, { authenticators: { word: { method: 'word' } } }))
    expect(error.code).to.equal('auth.no-method')
    await turns(3)
    expect(far.readableLength).to.equal(0)
  })

  it('uses no method that does not fit the link, at either end, and says why', async () => {
    const unfit = (): string => 'no certificate'
    const other = { ...word('open sesame'), method: 'other' }
    const peer: PeerInfo = {
      ...sessionInfo.peer,
      tls: { version: 'TLSv1.3', cipher: 'x', binding: Buffer.alloc(32, 1) }
    }
    const seen: unknown[] = []
    const second: Authenticator = {
      ...other,
      unfit: (facts) => void seen.push(facts),
      prove: (challenge, facts) => {
        seen.push(facts, challenge.binding)
        return { proof: Buffer.from('open sesame') }
      }
    }
    const server = generation({}, { authenticators: registryOf({ word: { ...word('open sesame'), unfit }, other }) })
    // The server would like the first better, were it not for the link.
    const chosen = await both({ server, authenticators: { word: word('open sesame'), other: second }, peer })
    expect((chosen.client as ClientAuthenticated).ack.method).to.equal('other')
    expect(seen).to.deep.equal([peer, peer, peer.tls?.binding])

    const refused = await both({ server, authenticators: { word: word('open sesame') } })
    expect(codes(refused)).to.deep.equal(['auth.no-method', 'auth.no-method'])
    expect((refused.server as RystraError).detail).to.equal('offered: word; here: other; word: no certificate')
    expect((refused.client as RystraError).detail).to.equal('offered: word')
    expect((refused.client as RystraError).side).to.equal('server')
    expect((refused.client as RystraError).hint).to.match(/the log of the server says why/)

    const throws = (): never => {
      throw new Error('a bug')
    }
    const [near, far] = pair()
    const error = await failure(
      clientSide(near, {
        authenticators: { word: { ...word('x'), unfit }, other: { ...word('x'), method: 'other', unfit: throws } }
      })
    )
    expect(error).to.include({ code: 'auth.no-method', side: 'client' })
    expect(error.detail).to.equal('word: no certificate; other: it threw Error: a bug')
    await turns(3)
    expect(far.readableLength, 'bytes that were sent').to.equal(0)
  })

  it('admits no identity that cannot be written to a log', async () => {
    for (const id of ['', 'a\nb', 'x'.repeat(129), '\u202egnp.exe', '\ud800']) {
      const server = generation({ auth: () => Promise.resolve({ identity: { id } }) })
      const result = await both({ server })
      expect(codes(result)).to.deep.equal(['auth.refused', 'auth.refused'])
      expect((result.server as RystraError).detail).to.match(/^the identity that word found (is|has) /)
    }
  })

  it('does not trust a server that does not know the secret', async () => {
    for (const confirm of ['confirm something', '', 'confirm open sesamf']) {
      const { client } = await both({}, confirm)
      expect((client as RystraError).code).to.equal('auth.server-unproven')
    }
  })

  it('ends with session.lost when the other side goes, at each step', async () => {
    for (const end of ['end', 'destroy'] as const) {
      const [near, far] = pair()
      const server = failure(serverSide(far))
      near.write(preface)
      near.end()
      expect((await server).code, 'server, before Hello').to.equal('session.lost')
      const [one, two] = pair()
      const client = failure(clientSide(one))
      await until(() => two.readableLength > 0, 'Hello came')
      two[end]()
      if (end === 'destroy') one.destroy()
      const silent = await client
      expect([silent.code, silent.detail], 'client, before HelloAck').to.deep.equal([
        'session.lost',
        'it was closed before the server said anything, as a TLS port does with plain TCP'
      ])
    }
  })

  it('says why the link ended where its transport knows, as over QUIC', async () => {
    const [near, far] = pair()
    const client = failure(clientSide(near))
    await until(() => far.readableLength > 0, 'Hello came')
    const refused = new RystraError('tls.expired', { side: 'server' })
    near.destroy(new RystraError('mux.closed', { cause: refused }))
    expect(await client).to.equal(refused)
  })

  it('admits no peer that left while it was decided', async () => {
    const [near, far] = pair()
    const server = generation({
      auth: async () => {
        far.destroy()
        await turns(3)
        return { identity: { id: 'home' } }
      }
    })
    const admitted = failure(serverSide(far, { server }))
    void clientSide(near).catch(() => {})
    expect((await admitted).code).to.equal('session.lost')
    near.destroy()
  })

  it('says why when the caller refuses, once', async () => {
    const [near, far] = pair()
    const client = failure(clientSide(near))
    const admitted = (await serverSide(far)) as Admitted
    admitted.refuse(new RystraError('session.limit', { detail: 'not for others' }))
    admitted.refuse(new RystraError('session.limit'))
    const error = await client
    expect(error.code).to.equal('session.limit')
    expect(error.message).not.to.include('not for others')
    await until(() => far.destroyed, 'it was closed')
  })
})
