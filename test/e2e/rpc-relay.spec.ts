import { type Channel, type ChannelOpener, defineExtension } from '@rystra/plugin'
import { Rpc } from '@rystra/rpc'
import { expect } from 'chai'
import { randomBytes } from 'node:crypto'
import { cleanUp, portOf, startClient, startServer, until } from './tunnel.js'

/** Bytes that are no frame of RPC, and no MessagePack. */
const garbage = randomBytes(300_000)

/** A codec that the server does not have. */
const reversed = {
  number: 77,
  name: 'reversed',
  encode: (value: unknown) => Buffer.from([...String(value)].reverse().join('')),
  decode: (bytes: Buffer) => [...bytes.toString()].reverse().join('')
}

const read = ({ stream }: Channel, done: (bytes: Buffer) => void, all = garbage.length): void => {
  const chunks: Buffer[] = []
  let size = 0
  stream.read({
    onBytes(buffer, start, end) {
      chunks.push(Buffer.from(buffer.subarray(start, end)))
      size += end - start
      if (size === all) done(Buffer.concat(chunks))
      return true
    },
    onEnd() {}
  })
}

const write = ({ stream }: Channel, bytes: Buffer): void => void stream.write(bytes, 0, bytes.length, true)

describe('RPC between two clients, at the server', () => {
  afterEach(cleanUp)

  for (const kind of ['calls', 'stream'])
    it(`passes bytes on that are no frames, unchanged both ways (${kind})`, async () => {
      const server = await startServer({}, [new Rpc({ relay: [{}] }).extension])
      const echo = defineExtension({
        name: 'echo',
        setup: ({ registries }) =>
          registries.channels.add({
            name: 'rpc',
            onChannel: (channel) => read(channel, (bytes) => write(channel, bytes))
          })
      })
      let opener: ChannelOpener | undefined
      const opening = defineExtension({
        name: 'opening',
        setup: ({ hooks }) =>
          void hooks.onConnect.tap(({ channels }) => {
            opener = channels
          })
      })
      await startClient(portOf(server), [], { id: 'nas' }, [echo()])
      await startClient(portOf(server), [], { id: 'laptop' }, [opening()])
      await until(() => opener !== undefined, 'the laptop is connected')
      const details = { kind, session: 'none', to: 'nas' }
      const channel = await (opener as ChannelOpener).openChannel('rpc', { details })
      const back = new Promise<Buffer>((resolve) => read(channel, resolve))
      write(channel, garbage)
      expect((await back).equals(garbage)).to.equal(true)
    })

  it('decodes no body: the server lacks the codec of the call, and of the stream', async () => {
    const relaying = new Rpc({ relay: [{}] })
    const server = await startServer({}, [relaying.extension])
    const nas = new Rpc({ access: [{ relayed: true }], codecs: [reversed], codec: reversed })
    nas.router.handler({ name: 'shout', fn: (_session, text) => String(text).toUpperCase() })
    nas.router.streamHandler({
      name: 'shouts',
      fn: async (_session, stream) => {
        for await (const text of stream) await stream.send(String(text).toUpperCase())
      }
    })
    relaying.router.handler({ name: 'shout', fn: (_session, text) => text })
    await startClient(portOf(server), [], { id: 'nas' }, [nas.extension])
    const laptop = new Rpc({ codecs: [reversed], codec: reversed })
    await startClient(portOf(server), [], { id: 'laptop' }, [laptop.extension])
    await until(() => laptop.server.connected && nas.server.connected, 'both are up')
    const peer = laptop.server.peer('nas')
    expect(await peer.request('shout', 'hello')).to.equal('HELLO')
    const stream = peer.createStream('shouts')
    await stream.send('again')
    expect(await stream.recv()).to.equal('AGAIN')
    stream.end()
    // The server itself cannot read such a body.
    const code = await laptop.server.request('shout', 'hello').catch((error) => error.code)
    expect(code).to.equal('rpc.invalid')
  })
})
