import { createInterface } from 'node:readline'
import { joinRoom } from './client.js'
import { serveChat } from './server.js'

const [, , what, ...words] = process.argv
const token = process.env['CHAT_TOKEN'] ?? 'a-token-for-this-example'

if (what === 'serve') {
  const server = await serveChat(words[0] ?? 'tcp://127.0.0.1:0', token)
  const [{ transport, host, port } = { transport: '', host: '', port: 0 }] = server.addresses
  console.log(`chat at ${transport}://${host}:${port}`)
  process.once('SIGINT', () => void server.stop(0))
} else {
  const [url = '', user = 'guest', room = 'lobby'] = what === undefined ? [] : [what, ...words]
  const member = await joinRoom(url, token, user, room, (line) => console.log(line))
  console.log(`in ${room}: ${member.users.join(', ')}`)
  const lines = createInterface({ input: process.stdin })
  lines.on('line', (line) => member.say(line))
  lines.once('close', () => void member.leave())
}
