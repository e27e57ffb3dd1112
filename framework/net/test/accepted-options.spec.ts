import { expect } from 'chai'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import net from 'node:net'
import { setAcceptedOptions } from '../src/accepted-options.js'

const TABLE = '/proc/net/tcp'

/** The second half of a line of /proc/net/tcp: the timer that runs, 2 for keep-alive, and the time until it fires. */
const timerOf = (local: number, remote: number): string | undefined => {
  const hex = (port: number): string => `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const line = readFileSync(TABLE, 'utf8')
    .split('\n')
    .map((text) => text.trim().split(/\s+/))
    .find(([, from, to]) => from?.endsWith(hex(local)) && to?.endsWith(hex(remote)))
  return line?.[5]
}

const accept = async (prepare: (server: net.Server) => void): Promise<string | undefined> => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  prepare(server)
  const { port } = server.address() as net.AddressInfo
  const dialed = net.connect(port, '127.0.0.1')
  try {
    const [socket] = (await once(server, 'connection')) as [net.Socket]
    const timer = timerOf(port, socket.remotePort as number)
    socket.destroy()
    return timer
  } finally {
    dialed.destroy()
    server.close()
  }
}

describe('options of accepted connections', () => {
  before(function () {
    if (!existsSync(TABLE)) this.skip()
  })

  it('are those of the listener: the kernel probes a silent peer', async () => {
    expect(await accept(() => {})).to.match(/^00:/)
    expect(await accept((server) => setAcceptedOptions(server, 15_000))).to.match(/^02:/)
  })

  it('are set on each connection where they are not inherited', async () => {
    const timer = await accept((server) => {
      const { platform } = process
      Object.defineProperty(process, 'platform', { value: 'darwin' })
      try {
        setAcceptedOptions(server, 15_000)
      } finally {
        Object.defineProperty(process, 'platform', { value: platform })
      }
    })
    expect(timer).to.match(/^02:/)
  })
})
