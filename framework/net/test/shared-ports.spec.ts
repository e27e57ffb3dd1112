import { rawOf } from '@rystra/bytes'
import { expect } from 'chai'
import net from 'node:net'
import { SharedPorts } from '../src/index.js'
import { readAll, until } from './outcome.js'
import { cleanUp, later } from './proxies.js'
import { listen, connect, gone, answerTo } from './shared-world.js'

describe('a shared port', () => {
  afterEach(cleanUp)

  it('gives a connection to the listener that recognises its first bytes, also one byte at a time', async () => {
    const ports = new SharedPorts()
    const { address } = await listen(ports, 0, { word: 'ONE' })
    const second = await listen(ports, address.port, { word: 'TWO' })
    await listen(ports, address.port, { word: 'THREE' })
    expect(second.address).to.deep.equal(address)
    expect(await answerTo(address.port, 'ONE')).to.equal('ONE here')
    expect(await answerTo(address.port, 'TWO!')).to.equal('TWO here')
    expect(await answerTo(address.port, ...'THREE')).to.equal('THREE here')
    expect(ports.undecided).to.equal(0)
  })

  it('asks the latest listener first and waits while it needs more bytes', async () => {
    const ports = new SharedPorts()
    const { address } = await listen(ports, 0, { word: 'any', recognises: () => true })
    await listen(ports, address.port, { word: 'ABC' })
    const socket = await connect(address.port)
    const answer = readAll(socket)
    socket.write('AB')
    await until(() => ports.undecided === 1)
    socket.write('C')
    expect(await answer).to.equal('ABC here')
    expect(await answerTo(address.port, 'AB', 'D')).to.equal('any here')
  })

  it('reads nothing for a single listener: the server may speak first', async () => {
    const ports = new SharedPorts()
    let requested = 0
    const recognises = (): boolean => {
      requested += 1
      return false
    }
    const { address } = await listen(ports, 0, { word: 'ONE', recognises })
    expect(await readAll(await connect(address.port))).to.equal('ONE here')
    expect(requested).to.equal(0)
  })

  it('puts back all it read, in order, before the end', async () => {
    const ports = new SharedPorts()
    const taken: net.Socket[] = []
    const { address } = await listen(ports, 0, { word: 'X' })
    await listen(ports, address.port, { word: 'ABC', onSocket: (socket) => taken.push(socket) })
    const bytes = Buffer.concat([Buffer.from('ABC'), Buffer.alloc(300_000, 'z')])
    for (const sort of ['events', 'raw'] as const) {
      const socket = await connect(address.port)
      socket.write('A')
      await until(() => ports.undecided === 1)
      socket.end(bytes.subarray(1))
      await until(() => taken.length === 1)
      const far = taken.pop() as net.Socket
      later(() => far.destroy())
      expect([far.constructor, far.allowHalfOpen]).to.deep.equal([net.Socket, true])
      expect(far.listenerCount('error') + far.listenerCount('readable')).to.equal(0)
      // Of the count of open connections.
      expect(far.listenerCount('close')).to.equal(1)
      if (sort === 'events') expect(await readAll(far)).to.equal(bytes.toString('latin1'))
      else {
        const raw = rawOf(far)
        expect(raw.constructor.name).to.equal('RawSocket')
        const all = await new Promise<string>((resolve) => {
          let text = ''
          raw.read({
            onBytes: (buffer, from, to) => {
              text += buffer.toString('latin1', from, to)
              return true
            },
            onEnd: () => resolve(text)
          })
        })
        expect(all === bytes.toString('latin1'), 'by the fast path').to.equal(true)
      }
    }
  })

  it('refuses unrecognised HTTP and TLS in their own protocol and closes other connections', async () => {
    const ports = new SharedPorts()
    const { address } = await listen(ports, 0, { word: 'ONE' })
    await listen(ports, address.port, { word: 'TWO' })
    expect(await answerTo(address.port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')).to.match(
      /^HTTP\/1\.1 400 Bad Request\r\n.*This port speaks the Rystra protocol/s
    )
    expect(await answerTo(address.port, '\x16\x03\x01\x02')).to.equal('\x15\x03\x01\0\x02\x02\x0a')
    const socket = await connect(address.port)
    socket.write('SSH-2.0-x\r\n')
    await gone(socket)
    expect(ports.undecided).to.equal(0)
  })

  it('treats a listener that throws as one that does not recognise the bytes', async () => {
    const ports = new SharedPorts()
    const { address } = await listen(ports, 0, { word: 'ONE' })
    const recognises = (): boolean => {
      throw new Error('a slip')
    }
    await listen(ports, address.port, { word: 'TWO', recognises })
    expect(await answerTo(address.port, 'ONE')).to.equal('ONE here')
  })

  describe('with undecided connections', () => {
    it('closes silent and slow connections', async () => {
      const ports = new SharedPorts({ timeout: 30 })
      const { address } = await listen(ports, 0, { word: 'ONE' })
      await listen(ports, address.port, { word: 'TWO' })
      const silent = await connect(address.port)
      const slow = await connect(address.port)
      slow.write('T')
      await Promise.all([gone(silent), gone(slow)])
      expect(ports.undecided).to.equal(0)
    })

    it('gives the connection at the timeout to a listener that recognises it', async () => {
      const ports = new SharedPorts({ timeout: 30 })
      const { address } = await listen(ports, 0, { word: 'any', recognises: () => true })
      await listen(ports, address.port, { word: 'ABC' })
      expect(await answerTo(address.port, 'AB')).to.equal('any here')
    })

    it('reads at most 16 KiB', async () => {
      const ports = new SharedPorts()
      let most = 0
      const recognises = (head: Buffer): undefined => {
        most = Math.max(most, head.length)
        return undefined
      }
      const { address } = await listen(ports, 0, { word: 'ONE', recognises })
      await listen(ports, address.port, { word: 'TWO', recognises })
      const socket = await connect(address.port)
      socket.write(Buffer.alloc(1_000_000, 'x'))
      await gone(socket)
      expect(most).to.equal(16_384)
    })

    it('evicts the oldest at the limit', async () => {
      const ports = new SharedPorts({ undecided: 3 })
      const { address } = await listen(ports, 0, { word: 'ONE' })
      await listen(ports, address.port, { word: 'TWO' })
      const sockets: net.Socket[] = []
      for (let count = 1; count <= 3; count += 1) {
        sockets.push(await connect(address.port))
        await until(() => ports.undecided === count)
      }
      const [oldest, next] = sockets as [net.Socket, net.Socket]
      expect(await answerTo(address.port, 'TWO')).to.equal('TWO here')
      await gone(oldest)
      expect(ports.undecided).to.equal(2)
      const answer = readAll(next)
      next.write('ONE')
      expect(await answer).to.equal('ONE here')
    })

    it('forgets connections that end or are reset', async () => {
      const ports = new SharedPorts()
      const { address } = await listen(ports, 0, { word: 'ONE' })
      await listen(ports, address.port, { word: 'TWO' })
      for (const leave of [(socket: net.Socket) => socket.end(), (socket: net.Socket) => socket.resetAndDestroy()]) {
        const socket = await connect(address.port)
        socket.write('T')
        await until(() => ports.undecided === 1)
        leave(socket.resume())
        await until(() => ports.undecided === 0)
      }
    })
  })
})
