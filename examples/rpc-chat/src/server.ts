import { limit, reverse, RpcError, RpcServer, type RpcSession, stateKey } from '@rystra/rpc'
import { Chat } from './contract.js'

const userKey = stateKey<string>('user')
const roomKey = stateKey<string>('room')

/** A running chat server at `transport://host:port`. */
export const serveChat = async (url: string, token: string): Promise<RpcServer> => {
  const usersOf = (sessions: readonly RpcSession[]): string[] =>
    sessions.flatMap((session) => session.get(userKey) ?? []).sort()
  const inRoom = (room: string): RpcSession[] => server.sessions.filter((session) => session.get(roomKey) === room)
  const server: RpcServer = RpcServer.builder()
    .bind(url)
    .tokens([{ identity: 'chat', token }])
    .use(limit({ name: 'chat.say', events: 20 }))
    .service(Chat, {
      login: (session, { user }) => {
        if (usersOf(server.sessions).includes(user)) throw new RpcError('chat.taken', { data: { user } })
        session.set(userKey, user)
        return { users: usersOf(server.sessions) }
      },
      join: (session, { room }) => {
        session.set(roomKey, room)
        return { users: usersOf(inRoom(room)) }
      },
      say: (session, { room, text }) => {
        const user = session.get(userKey)
        if (user === undefined || session.get(roomKey) !== room) return
        for (const other of inRoom(room)) void other.use(reverse(Chat)).said({ room, user, text })
      }
    })
    .build()
  return server.start()
}
