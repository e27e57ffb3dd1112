import { BatchedUdp, loadNative } from '@rystra/native'
import { expect } from 'chai'
import { execFile } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { batched, bound, cleanUp, closed, descriptors, needsNative, until } from './ends.js'

const fixture = fileURLToPath(new URL('fixture.mjs', import.meta.url))

/** Runs the fixture in a worker, and resolves with what it says and how it ended. */
const inWorker = async (
  what: string,
  env: NodeJS.ProcessEnv = process.env
): Promise<{ said: unknown[]; code: number; error?: Error }> => {
  const worker = new Worker(fixture, { argv: [what], env, execArgv: [] })
  const said: unknown[] = []
  let error: Error | undefined
  worker.on('message', (message) => {
    said.push(message)
    if (message === 'end me') void worker.terminate()
  })
  worker.on('error', (why: Error) => {
    error = why
  })
  const code = await new Promise<number>((resolve) => worker.once('exit', resolve))
  return { said, code, ...(error === undefined ? {} : { error }) }
}

/** Runs the fixture in a process that may have 64 descriptors, and resolves with what it prints. */
const withFewDescriptors = async (what: string): Promise<unknown> => {
  const args = ['-c', 'ulimit -n 64; exec "$0" "$@"', process.execPath, fixture, what]
  const { stdout } = await promisify(execFile)('sh', args)
  return JSON.parse(stdout)
}

describe('the life of a socket in batches', () => {
  needsNative()
  afterEach(cleanUp)

  it('gives its descriptor back, whichever end is closed first, and the port with it', async () => {
    const before = descriptors()
    for (const first of ['udp', 'socket'] as const) {
      const here = await batched()
      expect(descriptors().length).to.equal(before.length + 2)
      here[first].close()
      here.udp.close()
      here.udp.close()
      await closed(here.socket)
      const again = (await import('node:dgram')).createSocket('udp4')
      await new Promise<void>((resolve) => again.bind(here.port, '127.0.0.1', resolve))
      await closed(again)
    }
    expect(descriptors()).to.deep.equal(before)
  })

  it('may be closed while it hands out a batch: nothing more comes', async () => {
    const sender = await batched()
    let came = 0
    const here = await batched(
      {},
      {
        onDatagram: () => {
          came += 1
          here.udp.close()
          here.socket.close()
        }
      }
    )
    for (let index = 0; index < 100; index += 1) sender.udp.post(Buffer.alloc(1000), here.port, '127.0.0.1')
    await until(() => came > 0, 'the first')
    const echo = await batched()
    sender.udp.post(Buffer.alloc(1), echo.port, '127.0.0.1')
    await until(() => echo.datagrams.length === 1, 'a later one elsewhere')
    expect(came).to.equal(1)
  })

  it('does nothing more when it is closed', async () => {
    const [here, other] = [await batched(), await batched()]
    here.udp.close()
    expect(here.udp.post(Buffer.alloc(1), other.port, '127.0.0.1')).to.equal(false)
    here.udp.slot(100)
    here.udp.send(100, other.port, '127.0.0.1', true)
    here.udp.flush()
    here.udp.unref()
    expect(here.errors).to.deep.equal([])
  })

  it('closes no descriptor of another that has got its number', async () => {
    const before = new Set(descriptors())
    const here = await batched()
    const own = Math.max(...descriptors().filter((number) => !before.has(number)))
    closeSync(own)
    // The lowest number that is free.
    const file = openSync('/dev/null', 'r')
    expect(file).to.equal(own)
    here.udp.close()
    here.socket.close()
    closeSync(file)
  })

  it('reports a descriptor that was closed under it, and is closed as any other', async () => {
    const before = new Set(descriptors())
    const here = await batched()
    const own = Math.max(...descriptors().filter((number) => !before.has(number)))
    const sender = await bound()
    sender.send('before', here.port, '127.0.0.1')
    await until(() => here.datagrams.length === 1, 'the first')
    closeSync(own)
    sender.send('after', here.port, '127.0.0.1')
    await until(() => here.errors.length > 0, 'the error')
    expect(here.errors[0]).to.include({ code: 'EBADF' })
    here.udp.post(Buffer.alloc(1), here.port, '127.0.0.1')
    here.udp.close()
  })

  it('ends with its worker, which leaves no descriptor behind', async () => {
    const before = descriptors()
    for (const what of ['exit', 'terminate', 'busy']) {
      const { said, error } = await inWorker(what)
      expect(error, what).to.equal(undefined)
      expect(said[0], what).to.equal('ready')
    }
    expect(descriptors()).to.deep.equal(before)
  }).timeout(20_000)

  it('lets what a listener throws end its worker, as that of any event does', async () => {
    const before = descriptors()
    const { error, code } = await inWorker('throw')
    expect([error?.message, code]).to.deep.equal(['thrown by a listener', 1])
    expect(descriptors()).to.deep.equal(before)
  }).timeout(20_000)

  it('keeps no process that has nothing else to do once it is unreferenced', async () => {
    const { code } = await inWorker('unref')
    expect(code).to.equal(0)
  }).timeout(20_000)

  it('is left to Node where it is turned off, where there is no file, and where the file is no addon', async () => {
    for (const [setting, why] of [
      ['off', 'turned off by RYSTRA_NATIVE'],
      ['/nowhere/rystra.node', "Cannot find module '/nowhere/rystra.node'"],
      [fixture.replace('.mjs', '.txt.node'), 'file too short']
    ] as const) {
      const { said } = await inWorker('status', { ...process.env, RYSTRA_NATIVE: setting })
      expect(said[0]).to.deep.include({ used: false, attached: false })
      expect((said[0] as { detail: string }).detail).to.include(why)
    }
  }).timeout(20_000)

  it('is left to Node when no descriptor is left', async () => {
    expect(await withFewDescriptors('descriptors')).to.deep.equal({ attached: false, answered: 'by node' })
  }).timeout(20_000)

  it('is loaded later when no descriptor was left for its first load', async () => {
    expect(await withFewDescriptors('first-load')).to.deep.equal({ without: false, later: true })
  }).timeout(20_000)

  it('is loaded once when the module is there twice, as from sources and as built', async () => {
    const again = (await import(`${new URL('../src/load.ts', import.meta.url).href}?again`)) as {
      loadNative: typeof loadNative
    }
    expect(again.loadNative).not.to.equal(loadNative)
    expect(again.loadNative()).to.equal(loadNative())
  })

  it('refuses a socket that is not bound, and one that is closed', async () => {
    const { createSocket } = await import('node:dgram')
    const events = { onDatagram: () => {}, onError: () => {} }
    const socket = createSocket('udp4')
    expect(BatchedUdp.attach(socket, events)).to.equal(undefined)
    socket.close()
    const other = await bound()
    await closed(other)
    expect(BatchedUdp.attach(other, events)).to.equal(undefined)
  })

  it('throws for arguments of other kinds, and reads no memory outside', async () => {
    const { binding } = loadNative() as NonNullable<ReturnType<typeof loadNative>>
    const call = binding as unknown as Record<string, (...values: unknown[]) => unknown>
    const memory = Buffer.alloc(100)
    const rows = new Int32Array(10)
    for (const [name, ...values] of [
      ['send'],
      ['send', {}, memory, rows, 1],
      ['send', Object.create({}), memory, rows, 1],
      ['close', {}],
      ['close'],
      ['unref', null],
      ['attach', 'x', () => {}, true, true],
      ['attach', 1, {}, true, true],
      ['setup', memory, rows],
      ['parse', '127.0.0.1', new Int32Array(3)],
      ['parse', 1, rows],
      ['format', rows, 1],
      ['format', rows, -1]
    ] as const)
      expect(() => call[name]?.(...values), `${name}(${values.length})`).to.throw(TypeError)
    expect(call['attach']?.(999_999, () => {}, true, true)).to.be.lessThan(0)
  })
})
