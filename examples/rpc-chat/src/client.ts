import { RpcClient } from '@rystra/rpc'
import { randomUUID } from 'node:crypto'
import { Chat } from './contract.js'

/** A user in a room. */
export interface Member {
  /** In the room, the user included. */
  readonly users: readonly string[]
  say(text: string): void
  leave(): Promise<void>
}

/** Joins a room; `hear` gets each line that is said there. */
export const joinRoom = async (
  url: string,
  token: string,
  user: string,
  room: string,
  hear: (line: string) => void
): Promise<Member> => {
  const client = await RpcClient.connect(url, { id: `chat-${randomUUID()}`, token })
  const chat = client.use(Chat)
  chat.said((_session, line) => hear(`${line.user}: ${line.text}`))
  try {
    await chat.login({ user })
    const { users } = await chat.join({ room })
    return { users, say: (text) => void chat.say({ room, text }), leave: () => client.close() }
  } catch (error) {
    await client.close()
    throw error
  }
}
