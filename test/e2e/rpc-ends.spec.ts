import type { RystraError } from '@rystra/model'
import { Rpc, type RpcSession } from '@rystra/rpc'
import { expect } from 'chai'
import { cuttable } from './cuttable.js'
import { cleanUp, portOf, startClient, startServer, until } from './tunnel.js'

/** Remembers how sessions end. */
class Ends {
  readonly codes: string[] = []
  readonly note = (_session: unknown, error?: Error): void => {
    this.codes.push((error as RystraError | undefined)?.code ?? 'clean')
  }
}

/** A call has been there and back. */
const call = (session: RpcSession): Promise<unknown> => session.request('ping')

const answers = (rpc: Rpc): Rpc => {
  rpc.router.handler({ name: 'ping', fn: () => 'pong' })
  return rpc
}

describe('the end of RPC on the session of a tunnel', () => {
  afterEach(cleanUp)

  for (const muxer of ['yamux', 'direct'])
    for (const name of ['the client stops', 'the server stops', 'the client is sent away', 'its link is reset'])
      it(`is told as what it is at both ends: ${name} (${muxer})`, async () => {
        const [there, here] = [new Ends(), new Ends()]
        const onServer = answers(new Rpc({ onDisconnect: there.note }))
        const server = await startServer({}, [onServer.extension])
        const link = await cuttable(portOf(server))
        const rpc = new Rpc({ onDisconnect: here.note })
        const client = await startClient(link.port, [], { muxer }, [rpc.extension])
        await call(rpc.server)
        if (name === 'the client stops') await client.stop({ drain: 0 })
        else if (name === 'the server stops') await server.stop({ drain: 0 })
        else if (name === 'its link is reset') link.cut()
        else for (const session of server.runtime.sessions()) session.close()
        await until(() => there.codes.length > 0 && here.codes.length > 0, 'both ends report it')
        const isLoss = name === 'its link is reset'
        expect(there.codes.concat(here.codes).map((code) => code === 'clean')).to.deep.equal([!isLoss, !isLoss])
      })

  for (const name of ['the calling client stops', 'the called client stops', 'the server stops'])
    it(`is told as what it is to clients that call each other: ${name}`, async () => {
      const [caller, called] = [new Ends(), new Ends()]
      const server = await startServer({}, [new Rpc({ relay: [{}] }).extension])
      const nas = answers(new Rpc({ access: [{ relayed: true }], onDisconnect: called.note }))
      const target = await startClient(portOf(server), [], { id: 'nas' }, [nas.extension])
      const laptop = new Rpc({ onDisconnect: caller.note })
      const client = await startClient(portOf(server), [], { id: 'laptop' }, [laptop.extension])
      await call(laptop.peer('nas'))
      await until(() => laptop.server.connected && nas.server.connected, 'both are up')
      if (name === 'the server stops') await server.stop({ drain: 0 })
      else await (name === 'the calling client stops' ? client : target).stop({ drain: 0 })
      // Each is told of its peer; of the server, when its own session has ended too.
      const all = { 'the calling client stops': [2, 1], 'the called client stops': [1, 2], 'the server stops': [2, 2] }
      const [atCaller = 0, atCalled = 0] = all[name as keyof typeof all]
      await until(() => caller.codes.length >= atCaller && called.codes.length >= atCalled, 'all are told')
      expect(new Set(caller.codes.concat(called.codes))).to.deep.equal(new Set(['clean']))
    })
})
