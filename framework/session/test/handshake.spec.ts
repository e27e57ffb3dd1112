import type { GenerationRef } from '@rystra/kernel'
import { expect } from 'chai'
import type { Authenticator, PeerInfo } from '@rystra/plugin'
import { RystraError } from '@rystra/model'
import { dataLinkOpening, encode, FrameDecoder, type Message, preface } from '@rystra/protocol'
import type { Duplex } from 'node:stream'
import {
  type Admitted,
  authenticateClient,
  authenticateToServer,
  type ClientAuthenticated,
  type DataLinkOffered
} from '../src/index.js'
import { failure, generation, pair, readUntilFor, registryOf, sessionInfo, turns, until, word } from './fakes.js'

const never = new AbortController().signal

interface Setting {
  readonly server?: GenerationRef
  readonly authenticators?: Record<string, Authenticator>
  readonly clientMuxers?: string[]
  readonly serverMuxers?: string[]
  readonly serverSignal?: AbortSignal
  readonly clientSignal?: AbortSignal
  /** The other end as each of the two sees it. */
  readonly peer?: PeerInfo
}

const serverSide = (
  stream: Duplex,
  {
    server = generation(),
    serverMuxers = ['yamux', 'direct'],
    serverSignal = never,
    peer = sessionInfo.peer
  }: Setting = {}
) =>
  authenticateClient(stream, {
    generation: server,
    peer,
    transport: 'memory',
    agent: 'server/1',
    muxers: serverMuxers,
    signal: serverSignal
  })

const clientSide = (
  stream: Duplex,
  {
    authenticators = { word: word('open sesame') },
    clientMuxers = ['yamux'],
    clientSignal = never,
    peer = sessionInfo.peer
  }: Setting = {}
) =>
  authenticateToServer(stream, {
    offer: { id: 'nas', instance: 'i', agent: 'client/1', muxers: clientMuxers },
    authenticators: registryOf(authenticators),
    peer,
    signal: clientSignal
  })

const welcome = (admitted: Admitted | DataLinkOffered, confirm = 'confirm open sesame'): void => {
  if (admitted.type !== 'session') throw new Error('not a session')
  admitted.welcome({
    session: 's1',
    identity: 'home',
    confirm: Buffer.from(confirm),
    heartbeat: 15_000,
    limits: { proxies: 1, streams: 1 }
  })
}

/** Both ends to the end: the errors of those that fail. */
const both = async (setting: Setting = {}, confirm?: string) => {
  const [near, far] = pair()
  const [server, client] = await Promise.allSettled([
    serverSide(far, setting).then((admitted) => {
      welcome(admitted, confirm)
      return admitted
    }),
    clientSide(near, setting)
  ])
  return {
    near,
    far,
    server: server.status === 'rejected' ? (server.reason as RystraError) : (server.value as Admitted),
    client: client.status === 'rejected' ? (client.reason as RystraError) : (client.value as ClientAuthenticated)
  }
}

const codes = ({ server, client }: { server: unknown; client: unknown }) => [
  (server as RystraError).code,
  (client as RystraError).code
]

/** The messages in what a server said. */
const messagesOf = (bytes: Buffer): Message[] => {
  const decoder = new FrameDecoder()
  decoder.push(bytes)
  const messages: Message[] = []
  for (let message = decoder.next(); message !== undefined; message = decoder.next()) messages.push(message)
  return messages
}

describe('a handshake', () => {
  it('authenticates both ends to each other', async () => {
    const { server, client, near, far } = await both()
    expect(server).to.deep.include({ type: 'session', muxer: 'yamux' })
    expect((server as Admitted).client).to.deep.equal({ id: 'nas', instance: 'i', agent: 'client/1' })
    const { ack, ok, secret } = client as ClientAuthenticated
    expect([ack.muxer, ack.method, ok.session, ok.identity]).to.deep.equal(['yamux', 'word', 's1', 'home'])
    expect(Buffer.from(secret as Uint8Array).equals(Buffer.alloc(32, 7))).to.equal(true)
    for (const stream of [near, far]) {
      expect(
        stream.listenerCount('readable') + stream.listenerCount('end') + stream.listenerCount('close')
      ).to.be.at.most(2)
      expect(stream.listenerCount('error')).to.equal(1)
    }
  })

  it('leaves no listener on the signal', async () => {
    const [near, far] = pair()
    const before = near.eventNames().map((name) => near.listenerCount(name))
    let listening = 0
    const signal = new AbortController().signal
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)]
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listening += 1
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listening -= 1
      remove(...args)
    }
    await Promise.all([
      serverSide(far).then((admitted) => welcome(admitted)),
      clientSide(near, { clientSignal: signal })
    ])
    expect(listening).to.equal(0)
    expect(near.eventNames().map((name) => near.listenerCount(name))).to.deep.equal(before)
  })

  it('leaves what comes behind it to the muxer, at both ends, at every split', async () => {
    for (let split = 1; split < 120; split += 1) {
      const [near, middle] = pair()
      const [far, server] = pair()
      middle.on('data', (bytes: Buffer) => far.write(bytes))
      far.on('data', (bytes: Buffer) => {
        // AuthOk and what is behind it come cut at `split`, the rest a turn later, with the end.
        if (bytes[0] === 0x02) middle.write(bytes)
        else {
          const all = Buffer.concat([bytes, Buffer.from('muxer bytes')])
          middle.write(all.subarray(0, split))
          setImmediate(() => middle.end(all.subarray(split)))
        }
      })
      const [, client] = await Promise.all([serverSide(server).then((admitted) => welcome(admitted)), clientSide(near)])
      expect(client.ok.session).to.equal('s1')
      const [rest, ended] = await readUntilFor(near)
      expect([rest.toString(), ended], `split at ${split}`).to.deep.equal(['muxer bytes', true])
    }
  })

  it('leaves what comes behind a data link to the muxer, at every split, also with an end right behind', async () => {
    const opening = Buffer.from(dataLinkOpening(Buffer.alloc(32, 1), 's1', 0, true))
    const all = Buffer.concat([opening, Buffer.from('stream')])
    for (let split = 0; split <= all.length; split += 1) {
      const [near, far] = pair()
      const offered = serverSide(far)
      near.write(all.subarray(0, split))
      if (split % 2 === 0) await turns(2)
      near.end(all.subarray(split))
      const data = await offered
      expect(data.type).to.equal('data')
      await turns(3)
      if (data.type === 'data') data.take()
      const [rest, ended] = await readUntilFor(far)
      expect([rest.toString(), ended], `split at ${split}`).to.deep.equal(['stream', true])
    }
  })

  it('tells a client of another version so', async () => {
    const [near, far] = pair()
    const refused = failure(serverSide(far))
    near.write(Buffer.from([0x52, 0x59, 0x53, 9, 1, 2, 3]))
    const [said, ended] = await readUntilFor(near)
    expect((await refused).code).to.equal('protocol.version')
    expect(messagesOf(said)).to.deep.equal([{ type: 'Error', code: 'protocol.version' }])
    expect(ended).to.equal(true)
  })

  it('tells a browser and a TLS client in their own words that they are wrong here', async () => {
    for (const [said, answer] of [
      ['GET / HTTP/1.1\r\n\r\n', 'This port speaks the Rystra protocol, not HTTP.\n'],
      ['\x16\x03\x01', '\x15\x03\x01\0\x02\x02\x0a']
    ] as const) {
      const [near, far] = pair()
      const refused = failure(serverSide(far))
      near.write(said)
      const [answered, ended] = await readUntilFor(near)
      expect(answered.toString('latin1').endsWith(answer), said).to.equal(true)
      expect(ended).to.equal(true)
      expect((await refused).code).to.equal('protocol.not-rystra')
      await until(() => far.destroyed, 'it was closed')
    }
  })

  it('says nothing to another unauthenticated peer', async () => {
    for (const garbage of ['SSH-2.0-OpenSSH\r\n', 'RYX', '\0\0\0']) {
      const [near, far] = pair()
      const refused = failure(serverSide(far))
      near.write(garbage)
      expect((await refused).code).to.equal('protocol.not-rystra')
      await until(() => far.destroyed, 'it was closed')
      expect(near.readableLength).to.equal(0)
    }
  })

  it('refuses garbage behind the preface, and closes, also when the peer never reads', async () => {
    for (const garbage of [
      Buffer.alloc(50, 0xff),
      Buffer.from([1, 0xff, 0xff, 0xff]),
      Buffer.from([0x20, 0, 0, 1, 0x80])
    ]) {
      const [near, far] = pair()
      const refused = failure(serverSide(far))
      near.write(Buffer.concat([preface, garbage]))
      expect((await refused).code).to.match(/^protocol\.(malformed|too-large|unexpected)$/)
      await until(() => far.destroyed, 'it was closed')
    }
    const [near, far] = pair()
    far.cork()
    const refused = failure(serverSide(far))
    near.write(Buffer.concat([preface, Buffer.alloc(50, 0xff)]))
    await refused
    far._write = () => {}
    await until(() => far.destroyed, 'it was closed')
  })

  it('refuses messages out of turn', async () => {
    const auth = Buffer.from(encode({ type: 'Auth', proof: Buffer.from('x') }))
    const [near, far] = pair()
    const refused = failure(serverSide(far))
    near.write(Buffer.concat([preface, auth]))
    expect((await refused).code).to.equal('protocol.unexpected')
    const [one, two] = pair()
    const client = failure(clientSide(one))
    two.write(encode({ type: 'Heartbeat', seq: 1, time: 1 }))
    expect((await client).code).to.match(/^protocol\./)
  })

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
