import { duplexPair, rawOf } from '@rystra/bytes'
import { State } from '../src/context/state.js'
import { Router } from '../src/router/router.js'
import type { RpcPeer } from '../src/session/peer.js'
import { RpcSession } from '../src/session/session.js'
import { type RpcOptions, settingsOf } from '../src/session/settings.js'

const address = { address: 'memory', port: 0 }
const client: RpcPeer = { id: 'laptop', side: 'client', identity: { id: 'alice' }, address }
const server: RpcPeer = { id: 'server', side: 'server', address }

export interface PairOptions {
  readonly one?: RpcOptions
  readonly other?: RpcOptions
  readonly reconnects?: boolean
}

/** A session of a client and of a server. Both are ended with the test. */
export const pair = ({ one = {}, other = {}, reconnects = false }: PairOptions = {}) => {
  const make = (peer: RpcPeer, options: RpcOptions, again: boolean): RpcSession =>
    new RpcSession({
      id: peer.id,
      peer,
      settings: settingsOf(options),
      router: new Router(),
      context: new State(),
      reconnects: again
    })
  const left = make(server, one, reconnects)
  const right = make(client, other, false)
  const join = () => {
    const [a, b] = duplexPair()
    left.attach(rawOf(a))
    right.attach(rawOf(b))
    return { a, b }
  }
  return { left, right, make, join, ...join() }
}
