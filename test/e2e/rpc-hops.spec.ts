import { Rpc, type RpcError, type RpcStream } from '@rystra/rpc'
import { expect } from 'chai'
import { cleanUp, codeOf, portOf, startClient, startServer, until } from './tunnel.js'

/** What a signal was aborted with; rejects with it too, as a handler does that gives up. */
const untilAborted = (signal: AbortSignal, seen: string[]): Promise<never> =>
  new Promise((_, reject) =>
    signal.addEventListener('abort', () => {
      seen.push((signal.reason as RpcError).code)
      reject(signal.reason)
    })
  )

/** A server that relays from a laptop to a NAS, each with RPC. */
const world = async () => {
  const [onServer, nas, laptop] = [new Rpc({ relay: [{ from: 'laptop' }] }), new Rpc({ access: [{}] }), new Rpc()]
  const server = await startServer({}, [onServer.extension])
  await startClient(portOf(server), [], { id: 'nas' }, [nas.extension])
  await startClient(portOf(server), [], { id: 'laptop' }, [laptop.extension])
  await until(() => nas.server.connected && laptop.server.connected)
  nas.handler('ping', () => 'pong')
  return { onServer, nas, laptop: laptop.peer('nas') }
}

describe('RPC through two hops', () => {
  afterEach(cleanUp)

  it('a deadline of 50 ms ends the call at the caller, and aborts the handlers of both further hops', async () => {
    const { onServer, nas, laptop } = await world()
    const [atNas, atServer] = [[] as string[], [] as string[]]
    let left: number | undefined
    onServer.handler('inner', (_session, _data, call) => {
      left = call.deadline
      return untilAborted(call.signal, atServer)
    })
    nas.handler('outer', (_session, _data, { deadline, signal }) => {
      untilAborted(signal, atNas).catch(() => {})
      return nas.server.request('inner', undefined, { deadline, signal })
    })
    await laptop.request('ping')
    expect(await codeOf(laptop.request('outer', undefined, { deadline: 50 }))).to.equal('rpc.deadline')
    await until(() => atNas.length === 1 && (left === undefined || atServer.length === 1))
    expect(atNas[0]).to.be.oneOf(['rpc.deadline', 'rpc.cancelled'])
    if (left !== undefined) expect(left).to.be.within(1, 50)
  })

  it('a call that is given up aborts its handler before a later call is answered: within one round trip', async () => {
    const { nas, laptop } = await world()
    const seen: string[] = []
    let begun = 0
    nas.handler('wait', (_session, _data, { signal }) => {
      begun += 1
      return untilAborted(signal, seen)
    })
    const stop = new AbortController()
    const code = codeOf(laptop.request('wait', undefined, { signal: stop.signal }))
    await until(() => begun === 1)
    stop.abort()
    expect(await laptop.request('ping')).to.equal('pong')
    expect(seen).to.deep.equal(['rpc.cancelled'])
    expect(await code).to.equal('rpc.cancelled')
  })

  it('a reader that stops slows its sender: what waits is bounded, calls go on, and all of it arrives later', async () => {
    const { nas, laptop } = await world()
    let reading: RpcStream | undefined
    nas.streamHandler('file', (_session, stream) => {
      reading = stream
    })
    const stream = laptop.createStream('file')
    const chunk = Buffer.alloc(16_384, 'x')
    let [sent, sending] = [0, true]
    const writing = (async () => {
      while (sending) {
        await stream.send(chunk)
        sent += 1
      }
      stream.end()
    })()
    await until(() => reading !== undefined)
    // Still for many round trips: the sender waits.
    for (let before = -1, still = 0; still < 20; still = sent === before ? still + 1 : 0) {
      before = sent
      expect(await laptop.request('ping')).to.equal('pong')
    }
    expect(sent * chunk.length).to.be.within(chunk.length, 16 * 1024 * 1024)
    sending = false
    let received = 0
    for await (const each of reading as RpcStream) received += (each as Buffer).length
    await writing
    expect(received).to.equal(sent * chunk.length)
  })

  it('a caller that vanishes aborts its handlers at once', async () => {
    const { nas, laptop } = await world()
    const seen: string[] = []
    let begun = 0
    nas.handler('wait', (_session, _data, { signal }) => {
      begun += 1
      return untilAborted(signal, seen)
    })
    const code = codeOf(laptop.request('wait'))
    await until(() => begun === 1)
    laptop.close()
    await until(() => seen.length === 1)
    expect(seen).to.deep.equal(['rpc.lost'])
    expect(await code).to.equal('rpc.lost')
  })
})
