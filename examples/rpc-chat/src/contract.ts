import { Type } from '@rystra/plugin'
import { defineService, event, fromServer, request } from '@rystra/rpc'

const Line = Type.Object({ room: Type.String(), user: Type.String(), text: Type.String({ maxLength: 2000 }) })

/** What clients and the server have agreed on. Both take their types from it. */
export const Chat = defineService('chat', {
  login: request(
    Type.Object({ user: Type.String({ minLength: 1, maxLength: 40 }) }),
    Type.Object({ users: Type.Array(Type.String()) }),
    { errors: { 'chat.taken': Type.Object({ user: Type.String() }) } }
  ),
  join: request(Type.Object({ room: Type.String() }), Type.Object({ users: Type.Array(Type.String()) })),
  say: event(Type.Omit(Line, ['user'])),
  said: fromServer(event(Line))
})
