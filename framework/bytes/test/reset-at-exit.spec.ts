import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'

/** How a connection of a process that ends so looks from outside: `end`, or the code of its error. */
const endOf = async (end: string): Promise<string> => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const script = `
    import net from 'node:net'
    import { resetAtExit } from ${JSON.stringify(new URL('../src/reset-at-exit.ts', import.meta.url).href)}
    const socket = net.connect(${port}, '127.0.0.1', () => {
      resetAtExit(socket)
      socket.write('half of it')
      socket.once('data', () => { ${end} })
    })`
  const args = [...process.execArgv, '--input-type=module', '-e', script]
  const child = spawn(process.execPath, args, { stdio: 'ignore' })
  const [socket] = (await once(server, 'connection')) as [net.Socket]
  const seen = await new Promise<string>((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    socket.on('end', () => resolve('end'))
    // Before the process ends: libuv shows a reset right behind bytes as an end.
    socket.once('data', () => socket.write('go on'))
  })
  child.kill('SIGKILL')
  server.close()
  return seen
}

describe('a connection that the end of a process cuts', () => {
  it('is reset at an exit and at an exception, so that it does not look complete', async () => {
    const ends = ['process.exit(1)', "throw new Error('a fault')"].map(endOf)
    expect(await Promise.all(ends)).to.deep.equal(['ECONNRESET', 'ECONNRESET'])
  })

  it('keeps the end that was sent before', async () => {
    expect(await endOf("socket.end(); socket.once('finish', () => setImmediate(() => process.exit(0)))")).to.equal(
      'end'
    )
  })
})
