import { RystraError } from '@rystra/model'
import type { Authenticator, AuthRound } from '@rystra/plugin'
import { ClientHandshake, encode, FrameDecoder, MAX_AUTH_ROUNDS, preface } from '@rystra/protocol'
import { expect } from 'chai'
import type { Duplex } from 'node:stream'
import { authenticateClient, authenticateToServer, type Admitted } from '../src/index.js'
import { failure, generation, pair, registryOf, sessionInfo, word } from './fakes.js'

const { peer } = sessionInfo
const signal = new AbortController().signal

/** A method that counts: the server asks `rounds - 1` times, and accepts when all was answered. */
const counting = (rounds: number, more: Partial<Authenticator> = {}): Authenticator => {
  const answer = (left: number): AuthRound => ({
    challenge: Uint8Array.of(left),
    next: (proof) => {
      if (proof[0] !== left) return { deny: `${proof[0]} in place of ${left}` }
      return left === 1 ? { identity: { id: 'home' }, confirm: Buffer.from('end') } : answer(left - 1)
    }
  })
  const next = (challenge: Uint8Array) => ({ proof: challenge, confirm: Buffer.from('end'), next })
  return {
    method: 'counting',
    rounds: true,
    prove: () => ({ proof: Buffer.from('begin'), next }),
    verify: () => answer(rounds - 1),
    ...more
  }
}

const serve = (far: Duplex, authenticators: Record<string, Authenticator>, until = signal): Promise<Admitted> =>
  authenticateClient(far, {
    generation: generation({}, { authenticators: registryOf(authenticators) }),
    peer,
    transport: 'memory',
    agent: 'server/1',
    muxers: ['yamux'],
    signal: until
  }).then((admitted) => {
    if (admitted.type !== 'session') throw new Error('not a session')
    const confirm = admitted.accepted.confirm
    const fields = { session: 's1', identity: 'home', heartbeat: 0, limits: { proxies: 1, streams: 1 } }
    admitted.welcome(confirm === undefined ? fields : { ...fields, confirm })
    return admitted
  })

const offer = { id: 'nas', instance: 'i', agent: 'client/1', muxers: ['yamux'] }

const connect = (near: Duplex, authenticators: Record<string, Authenticator>) =>
  authenticateToServer(near, { offer, authenticators: registryOf(authenticators), peer, signal })

/** Both ends to the end: what each says. */
const both = async (server: Record<string, Authenticator>, client: Record<string, Authenticator>) => {
  const [near, far] = pair()
  const outcomes = await Promise.allSettled([serve(far, server), connect(near, client)])
  return outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : 'ok'))
}

describe('an authenticator with several rounds', () => {
  it('decides after all of them, up to the limit of the protocol', async () => {
    for (const rounds of [2, 3, MAX_AUTH_ROUNDS])
      expect(await both({ counting: counting(rounds) }, { counting: counting(rounds) })).to.deep.equal(['ok', 'ok'])
    const many = counting(MAX_AUTH_ROUNDS + 1)
    expect(await both({ counting: many }, { counting: many })).to.deep.equal(['auth.refused', 'auth.refused'])
  })

  it('refuses in a later round, and by a throw', async () => {
    const wrong = counting(2, { prove: () => ({ proof: Buffer.from('x'), next: () => ({ proof: Buffer.from('y') }) }) })
    expect(await both({ counting: counting(2) }, { counting: wrong })).to.deep.equal(['auth.refused', 'auth.refused'])
    const broken = counting(2, {
      verify: () => ({
        challenge: Buffer.from('x'),
        next: () => {
          throw new Error('broken')
        }
      })
    })
    expect(await both({ counting: broken }, { counting: counting(2) })).to.deep.equal(['auth.refused', 'auth.refused'])
  })

  it('does not keep the link of a client open when it never answers', async () => {
    const timeout = new AbortController()
    const [near, far] = pair()
    const silent = counting(2, {
      verify: () => ({
        challenge: Buffer.from('x'),
        next: () => {
          timeout.abort(new RystraError('protocol.timeout'))
          return new Promise(() => {})
        }
      })
    })
    const served = serve(far, { counting: silent }, timeout.signal).catch((error: RystraError) => error.code)
    expect((await failure(connect(near, { counting: counting(2) }))).code).to.equal('protocol.timeout')
    expect(await served).to.equal('protocol.timeout')
  })

  it('ends the link of a client that has no further proof', async () => {
    const once = counting(2, { prove: () => ({ proof: Buffer.from('begin') }) })
    const [near, far] = pair()
    const served = serve(far, { counting: counting(2) }).catch((error: { code: string }) => error.code)
    expect((await failure(connect(near, { counting: once }))).code).to.equal('protocol.unexpected')
    far.destroy()
    expect(await served).to.equal('session.lost')
  })

  describe('and a peer of an older version', () => {
    /** What a client that is refused does not read. */
    const refused = <Request>(push: () => Request): Request | undefined => {
      try {
        return push()
      } catch {
        return undefined
      }
    }

    /** An older client: it names no features. */
    const older = async (authenticators: Record<string, Authenticator>): Promise<string> => {
      const [near, far] = pair()
      const served = serve(far, authenticators)
      const client = new ClientHandshake({ ...offer, auth: ['counting', 'word'] })
      near.write(client.start())
      near.on('data', (chunk: Buffer) => {
        const request = refused(() => client.push(chunk))
        if (request?.type === 'challenge') near.write(client.prove(Buffer.from(request.ack.method)))
      })
      return served.then(
        ({ accepted }) => accepted.identity.id,
        (error: { code: string; detail: string }) => `${error.code}: ${error.detail}`
      )
    }

    it('is not chosen for an older client, which gets another method or none', async () => {
      expect(await older({ counting: counting(2), word: word('word') })).to.equal('home')
      expect(await older({ counting: counting(2) })).to.match(/^auth.no-method: .*counting: it needs several rounds/)
    })

    it('ends with a clear error at an older server', async () => {
      const [near, far] = pair()
      const decoder = new FrameDecoder()
      let begun = false
      far.on('data', (chunk: Buffer) => {
        decoder.push(begun ? chunk : chunk.subarray(preface.length))
        begun = true
        if (decoder.next()?.type !== 'Hello') return
        const nonce = new Uint8Array(32)
        far.write(
          encode({
            type: 'HelloAck',
            minor: 0,
            muxer: 'yamux',
            method: 'counting',
            nonce,
            features: [],
            agent: 'old/1'
          })
        )
      })
      const error = await failure(connect(near, { counting: counting(2) }))
      expect([error.code, error.detail]).to.deep.equal([
        'auth.no-method',
        'counting needs several rounds, which this server does not know'
      ])
    })
  })
})
