import { Rpc, type RpcSession } from '@rystra/rpc'
import { expect } from 'chai'
import { cleanUp, codeOf, portOf, startClient, startServer, until } from './tunnel.js'

/** Answers when it is told to. */
class Held {
  readonly rpc: Rpc
  running = 0
  #release!: (answer: string) => void

  constructor(rpc = new Rpc()) {
    this.rpc = rpc
    this.rpc.router.handler({
      name: 'hold',
      fn: () => {
        this.running += 1
        return new Promise((resolve) => {
          this.#release = resolve
        })
      }
    })
  }

  release(): void {
    this.#release('done')
  }
}

const pair = async () => {
  const [there, here] = [new Held(), new Held()]
  const server = await startServer({}, [there.rpc.extension])
  const client = await startClient(portOf(server), [], { id: 'nas' }, [here.rpc.extension])
  await until(() => here.rpc.server.connected, 'the client is up')
  return { there, here, server, client }
}

/** An end that stops waits for the answer of a handler, and tells the caller at once to begin nothing more. */
const answersBeforeItStops = async (stop: () => Promise<void>, handler: Held, caller: RpcSession): Promise<void> => {
  const answer = caller.request('hold')
  await until(() => handler.running === 1, 'the handler runs')
  const warned = new Promise((resolve) => caller.on('goAway', resolve))
  let stopped = false
  const stopping = stop().then(() => {
    stopped = true
  })
  await warned
  expect(stopped, 'stopped before the answer').to.equal(false)
  handler.release()
  expect(await answer).to.equal('done')
  await stopping
}

describe('a drain with RPC on the session', () => {
  afterEach(cleanUp)

  it('has the server finish the calls that it answers', async () => {
    const { there, here, server } = await pair()
    await answersBeforeItStops(() => server.stop({ drain: 10_000 }), there, here.rpc.server)
  })

  it('has the client finish the calls that it answers', async () => {
    const { there, here, client } = await pair()
    await answersBeforeItStops(() => client.stop({ drain: 10_000 }), here, there.rpc.client('nas'))
  })

  it('has the server wait for the answer to a call of its own', async () => {
    const { there, here, server } = await pair()
    const answer = there.rpc.client('nas').request('hold')
    await until(() => here.running === 1, 'the handler runs')
    const warned = new Promise((resolve) => here.rpc.server.on('goAway', resolve))
    const stopping = server.stop({ drain: 10_000 })
    await warned
    here.release()
    expect(await answer).to.equal('done')
    await stopping
  })

  it('ends a stream that goes on with the time of the drain', async () => {
    const { there, here, server } = await pair()
    there.rpc.router.streamHandler({ name: 'feed', fn: () => new Promise(() => {}) })
    const stream = here.rpc.server.createStream('feed')
    await stream.send('a')
    await until(() => there.rpc.client('nas').streams === 1, 'the stream is open')
    const warned = new Promise((resolve) => here.rpc.server.on('goAway', resolve))
    const [before, drain] = [performance.now(), 300]
    const stopping = server.stop({ drain })
    await warned
    expect(stream.closed, 'cut at once').to.equal(false)
    await stopping
    expect(performance.now() - before, 'it did not wait').to.be.at.least(drain - 10)
  })

  it('has a server wait for calls and streams between two of its clients', async () => {
    const [nas, laptop] = [new Held(new Rpc({ access: [{ relayed: true }] })), new Rpc()]
    const server = await startServer({}, [new Rpc({ relay: [{}] }).extension])
    await startClient(portOf(server), [], { id: 'nas' }, [nas.rpc.extension])
    await startClient(portOf(server), [], { id: 'laptop' }, [laptop.extension])
    await until(() => nas.rpc.server.connected && laptop.server.connected, 'both are up')
    nas.rpc.router.handler({ name: 'back', fn: (session) => session.request('big') })
    nas.rpc.router.streamHandler({
      name: 'echo',
      fn: async (_session, stream) => {
        for await (const data of stream) await stream.send(data)
        stream.end()
      }
    })
    const big = Buffer.alloc(200_000, 1)
    laptop.router.handler({ name: 'big', fn: () => big })
    const peer = laptop.peer('nas')
    // Answered ones of both directions, in one frame and in many, are not waited for.
    expect(await peer.request('back')).to.deep.equal(big)
    expect(await codeOf(peer.request('nothing'))).to.equal('rpc.unknown')
    const given = new AbortController()
    const givenUp = codeOf(peer.request('hold', undefined, { signal: given.signal }))
    await until(() => nas.running === 1, 'the first handler runs')
    given.abort()
    expect(await givenUp).to.equal('rpc.cancelled')
    const stream = peer.createStream('echo')
    await stream.send('a')
    const received = stream[Symbol.asyncIterator]()
    expect((await received.next()).value).to.equal('a')
    const answer = peer.request('hold')
    await until(() => nas.running === 2, 'the second handler runs')
    const warned = new Promise((resolve) => laptop.server.on('goAway', resolve))
    let stopped = false
    const stopping = server.stop({ drain: 3_600_000 }).then(() => {
      stopped = true
    })
    await warned
    nas.release()
    expect(await answer).to.equal('done')
    expect(stopped, 'stopped before the stream was over').to.equal(false)
    await stream.send('b')
    expect((await received.next()).value).to.equal('b')
    stream.end()
    expect((await received.next()).done).to.equal(true)
    await stopping
  })
})
