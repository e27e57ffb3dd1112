import { expect } from 'chai'
import { once } from 'node:events'
import net from 'node:net'
import path from 'node:path'
import { FramedStream } from '../src/framed.js'
import { folder } from './folder.js'

const file = path.join(folder(), 'socket')
const sockets: net.Socket[] = []
let server: net.Server

/** A stream, and the bare socket at its other end. */
const joined = async (): Promise<[FramedStream, net.Socket]> => {
  const came = once(server, 'connection')
  const bare = net.connect({ path: file, allowHalfOpen: true }).on('error', () => {})
  const [socket] = (await came) as [net.Socket]
  sockets.push(bare, socket)
  return [new FramedStream(socket).on('error', () => {}), bare]
}

/** What came, and how it ended. */
const outcome = async (stream: FramedStream): Promise<[string, string]> => {
  let text = ''
  stream.on('data', (chunk: Buffer) => {
    text += chunk
  })
  const how = await new Promise<string>((resolve) => {
    stream.once('end', () => resolve('end'))
    stream.once('error', (error) => resolve(error.message))
  })
  return [text, how]
}

const record = (text: string): Buffer => {
  const header = Buffer.alloc(4)
  header.writeUInt32BE(text.length)
  return Buffer.concat([header, Buffer.from(text)])
}

const whole = Buffer.concat([record('to be '), record('continued'), record('')])
const reset = 'read ECONNRESET'

describe('bytes in records', () => {
  beforeEach(async () => {
    server = net.createServer({ allowHalfOpen: true }).listen(file)
    await once(server, 'listening')
  })

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy()
    server.close()
  })

  it('come out the same, wherever they are split', async () => {
    for (let at = 0; at <= whole.length; at += 1) {
      const [stream, bare] = await joined()
      const done = outcome(stream)
      bare.write(whole.subarray(0, at), () => setImmediate(() => bare.end(whole.subarray(at))))
      expect(await done, `split at ${at}`).to.deep.equal(['to be continued', 'end'])
    }
  })

  it('were reset when the socket closes before the record of the end, wherever', async () => {
    for (let at = 0; at < whole.length; at += 1) {
      const [stream, bare] = await joined()
      bare.end(whole.subarray(0, at))
      const [text, how] = await outcome(stream)
      expect(how, `cut at ${at}`).to.equal(reset)
      expect('to be continued'.startsWith(text), text).to.equal(true)
    }
  })

  it('end when it is said so, not when nothing is written', async () => {
    const [stream, bare] = await joined()
    const chunks: Buffer[] = []
    bare.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.write('to be ')
    stream.write('')
    stream.end('continued')
    await once(bare, 'end')
    expect(Buffer.concat(chunks).equals(whole)).to.equal(true)
  })

  it('do not go on after the end', async () => {
    const [stream, bare] = await joined()
    const failed = once(stream, 'error')
    stream.resume()
    bare.write(Buffer.concat([whole, record('more')]))
    expect(String((await failed)[0])).to.match(/bytes after the end/)
  })

  it('need no memory for a length that an unauthenticated peer claims', async () => {
    const [stream, bare] = await joined()
    const done = outcome(stream)
    bare.end(Buffer.from('ffffffff6162', 'hex'))
    expect(await done).to.deep.equal(['ab', reset])
  })
})
