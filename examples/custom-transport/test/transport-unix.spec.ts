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

const transport = (where = directory): Transport =>
  setUpExtension(transportUnix({ directory: where }), 'server').registered('transports')[0] as Transport

/** What a transport over TCP would bind with; this one has no use for it. */
const noPorts = { listenTcp: () => Promise.reject(new Error('not over TCP')) }

const taken = (link: Link): void => {
  if (link.kind === 'bytes') links.push(link.duplex.on('error', () => {}))
}

const listen = async (port = 0, where = directory): Promise<Listener> => {
  const listener = await transport(where).listen({ transport: 'unix', host: 'any', port }, taken, never, noPorts)
  listeners.push(listener)
  return listener
}

const dial = async (port: number, where = directory): Promise<void> =>
  taken(await transport(where).dial({ transport: 'unix', host: 'any', port }, never))

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
    const { address } = await listen()
    expect(statSync(directory).mode & 0o777).to.equal(0o700)
    expect(existsSync(path.join(directory, `${address.port}.sock`))).to.equal(true)
    await listeners[0]?.close()
    expect(existsSync(path.join(directory, `${address.port}.sock`)), 'the socket').to.equal(false)
  })

  it('take the place of a listener that was killed', async () => {
    const file = path.join(directory, '7001.sock')
    await leaveBehind(file)
    expect(statSync(file).isSocket(), 'left behind').to.equal(true)
    expect((await failure(dial(7001))).detail).to.equal('unix 7001, nothing listens there')
    await listen(7001)
    await dial(7001)
  })

  it('take nothing away that is no socket', async () => {
    const file = path.join(directory, '7002.sock')
    writeFileSync(file, 'precious')
    expect((await failure(listen(7002))).code).to.equal('listen.in-use')
    expect(existsSync(file)).to.equal(true)
  })

  it('say why nothing can be listened on or reached, without a path', async () => {
    const file = path.join(directory, 'file')
    writeFileSync(file, '')
    const long = path.join(directory, 'x'.repeat(100))
    for (const [where, code] of [
      [file, 'listen.failed'],
      [path.join(file, 'below'), 'listen.unavailable'],
      [long, 'listen.failed']
    ] as const) {
      const error = await failure(listen(7003, where))
      expect([error.code, error.detail], where).to.deep.equal([code, 'unix 7003'])
      expect((await failure(dial(7003, where))).code, where).to.equal('connect.unreachable')
    }
    expect((await failure(dial(7004))).detail).to.equal('unix 7004, nothing listens there')
  })
})
