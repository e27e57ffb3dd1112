import { play } from './game.js'

for (const transport of ['quic', 'tcp']) {
  const [alice] = await play(transport, 60)
  console.log(
    `${transport}: ${alice?.states} states by ${alice?.mode}, ${alice?.voice} bytes of voice, ${JSON.stringify(alice?.last)}`
  )
}
