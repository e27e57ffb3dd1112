import type { RpcError } from '@rystra/rpc'
import { expect } from 'chai'
import { joinRoom } from '../src/client.js'
import { serveChat } from '../src/server.js'

const token = 'a-token-of-the-test'

describe('the chat', () => {
  it('says what is said to all in the room, and to no other', async () => {
    const server = await serveChat('tcp://127.0.0.1:0', token)
    try {
      const url = `tcp://127.0.0.1:${server.addresses[0]?.port}`
      const heard: Record<string, string[]> = { alice: [], bob: [], carol: [] }
      let wake = (): void => {}
      const hear = (user: string) => (line: string) => {
        heard[user]?.push(line)
        wake()
      }
      const alice = await joinRoom(url, token, 'alice', 'one', hear('alice'))
      const bob = await joinRoom(url, token, 'bob', 'one', hear('bob'))
      const carol = await joinRoom(url, token, 'carol', 'two', hear('carol'))
      expect(bob.users).to.deep.equal(['alice', 'bob'])
      const taken = await joinRoom(url, token, 'alice', 'one', () => {}).catch((error: RpcError) => error)
      expect(taken).to.have.property('code', 'chat.taken')
      alice.say('hello')
      while ((heard['bob']?.length ?? 0) === 0 || (heard['alice']?.length ?? 0) === 0)
        await new Promise<void>((resolve) => (wake = resolve))
      expect(heard).to.deep.equal({ alice: ['alice: hello'], bob: ['alice: hello'], carol: [] })
      for (const member of [alice, bob, carol]) await member.leave()
    } finally {
      await server.stop(0)
    }
  })
})
