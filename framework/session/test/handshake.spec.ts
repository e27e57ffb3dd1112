import { expect } from 'chai'
import { dataLinkOpening, encode, preface } from '@rystra/protocol'
import type { Admitted } from '../src/index.js'
import type { ClientAuthenticated } from '../src/handshake-client.js'
import { failure, pair, readUntilFor, turns, until } from './fakes.js'
import { serverSide, clientSide, welcome, both, messagesOf } from './handshakes.js'

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
})
