import { once } from 'node:events'
import net from 'node:net'
import { randomInt } from 'node:crypto'

/** Below what systems give to sockets on port 0 (Linux from 32768 on, others from 49152 on): no other test is given one of them. */
const [FIRST, LAST] = [10_000, 32_000]

/** A port of loopback that was free a moment ago: for what has to know its number before it listens, or where nothing is to listen. */
export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = randomInt(FIRST, LAST)
    const server = net.createServer().listen(port, '127.0.0.1')
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false
    )
    if (!isFree) continue
    server.close()
    await once(server, 'close')
    return port
  }
}
