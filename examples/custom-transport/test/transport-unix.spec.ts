import { isRystraError, type Link, type Listener, type RystraError, type Transport } from '@rystra/plugin'
import { setUpExtension } from '@rystra/testkit'
import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Duplex } from 'node:stream'
import transportUnix from '../src/index.js'
import { folder } from './folder.js'

const never = new AbortController().signal
const directory = path.join(folder(), 'sockets')
const links: Duplex[] = []
const listeners: Listener[] = []

const transport = setUpExtension(transportUnix(), 'server').registered('transports')[0] as Transport

/** What a transport over TCP would bind with; this one has no use for it. */
const noPorts = { listenTcp: () => Promise.reject(new Error('not over TCP')) }

const taken = (link: Link): void => {
  if (link.kind === 'bytes') links.push(link.duplex.on('error', () => {}))
}

const to = (address: string) => ({ transport: 'unix', host: '', port: 0, address })

const listen = async (address: string): Promise<Listener> => {
  const listener = await transport.listen(to(address), taken, never, noPorts)
  listeners.push(listener)
  return listener
}

const dial = async (address: string): Promise<void> => taken(await transport.dial(to(address), never))

const failure = async (promise: Promise<unknown>): Promise<RystraError> => {
  const error: unknown = await promise.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown
  )
  if (!isRystraError(error)) throw error
  return error
}

/** A socket whose listener was killed. */
const leaveBehind = async (file: string): Promise<void> => {
  const script = `require('node:net').createServer().listen(${JSON.stringify(file)}, () => process.kill(process.pid, 'SIGKILL'))`
  await once(spawn(process.execPath, ['-e', script]), 'exit')
}

describe('links over Unix domain sockets', () => {
  afterEach(async () => {
    for (const link of links.splice(0)) link.destroy()
    await Promise.all(listeners.splice(0).map((listener) => listener.close()))
  })

  it('are for the owner of the folder, which is made if it is not there', async () => {
    const file = path.join(directory, 'a.sock')
    const { address } = await listen(file)
    expect(statSync(directory).mode & 0o777).to.equal(0o700)
    expect([address.name, existsSync(file)]).to.deep.equal([file, true])
    await listeners[0]?.close()
    expect(existsSync(file), 'the socket').to.equal(false)
  })

  it('take the place of a listener that was killed', async () => {
    const file = path.join(directory, 'b.sock')
    await leaveBehind(file)
    expect(statSync(file).isSocket(), 'left behind').to.equal(true)
    expect((await failure(dial(file))).detail).to.equal(`unix ${file}, nothing listens there`)
    await listen(file)
    await dial(file)
  })

  it('take nothing away that is no socket', async () => {
    const file = path.join(directory, 'c.sock')
    writeFileSync(file, 'precious')
    expect((await failure(listen(file))).code).to.equal('listen.in-use')
    expect(existsSync(file)).to.equal(true)
  })

  it('say why nothing can be listened on or reached', async () => {
    const file = path.join(directory, 'file')
    writeFileSync(file, '')
    for (const [address, code] of [
      [path.join(file, 'd.sock'), 'listen.failed'],
      [path.join(file, 'below/d.sock'), 'listen.unavailable'],
      [path.join(directory, 'x'.repeat(100), 'd.sock'), 'listen.failed']
    ] as const) {
      const error = await failure(listen(address))
      expect([error.code, error.detail], address).to.deep.equal([code, `unix ${address}`])
      expect((await failure(dial(address))).code, address).to.equal('connect.unreachable')
    }
    const none = path.join(directory, 'none.sock')
    expect((await failure(dial(none))).detail).to.equal(`unix ${none}, nothing listens there`)
  })
})
