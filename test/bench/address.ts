import net from 'node:net'

/** Where something listens; always on loopback here. */
export interface Address {
  readonly host: string
  readonly port: number
}

export const loopback = '127.0.0.1'

export const show = ({ host, port }: Address): string => `${host}:${port}`

/**
 * A port that is free now, for programs that cannot choose one themselves. Another program may take it before they do: their start fails
 * then, and says so.
 */
export const freePort = async (): Promise<number> => {
  const server = net.createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, loopback, resolve)
  })
  const { port } = server.address() as net.AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

const echoes = (address: Address, timeout: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect({ ...address, timeout })
    const done = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    // Two bytes: what the service shall do (see load/service.ts), and what it shall send back.
    socket.once('connect', () => socket.write('Ex'))
    socket.once('data', (chunk) => done(chunk.toString() === 'x'))
    socket.once('error', () => done(false))
    socket.once('timeout', () => done(false))
    socket.once('close', () => done(false))
  })

/** Waits until a byte comes back through the whole route; throws when none has after `timeout` milliseconds. */
export const untilEchoes = async (address: Address, signal: AbortSignal, timeout = 15_000): Promise<void> => {
  const end = performance.now() + timeout
  while (performance.now() < end) {
    signal.throwIfAborted()
    if (await echoes(address, 2000)) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`nothing came back through ${show(address)} within ${timeout / 1000} s`)
}
