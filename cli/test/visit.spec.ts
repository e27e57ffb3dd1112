import { expect } from 'chai'
import net from 'node:net'
import { rystraHere as rystra } from './in-process.js'
import { commands } from './fixtures/commands.js'

const { folders, listen, running, start } = commands()

/** A server with private proxies, and the arguments that reach it. */
const serve = async (): Promise<string[]> => {
  const dir = folders.make({
    'rystra.config.yaml': `extensions:
  - '@rystra/proxy-private'
  - { use: '@rystra/auth-token', options: { token: a-token-of-the-test } }
server:
  listen: [{ transport: tcp, host: 127.0.0.1, port: 0 }]
`
  })
  const { port } = await start(['serve', '--json'], dir).event('listening')
  return ['--to', `127.0.0.1:${port}`, '--token', 'a-token-of-the-test', '--json']
}

/** What comes of a visit: all bytes until the end, or the code of an error. */
const ask = async (address: unknown, text: string): Promise<string> => {
  const [host, port] = String(address).split(':')
  const socket = net.connect({ host, port: Number(port), allowHalfOpen: true })
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.end(text)
  return new Promise((resolve) => {
    socket.once('end', () => resolve(Buffer.concat(chunks).toString()))
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}

describe('visit, and expose private', () => {
  it('bring a service of one client to a port of another, and a wrong secret to none', async () => {
    const to = await serve()
    const service = await listen((socket) => socket.pipe(socket))
    const secret = 'a-secret-of-some-length'
    const owner = start(['expose', 'private', String(service), '--name', 'db', '--secret', secret, ...to])
    expect(await owner.event('published')).to.include({ name: 'db', kind: 'private', address: 'private://db' })

    const visitor = start(['visit', 'db', '--bind', '127.0.0.1:0', ...to], folders.make(), { RYSTRA_SECRET: secret })
    const { address, name } = await visitor.event('visiting')
    expect(name).to.equal('db')
    expect(await ask(address, 'there and back')).to.equal('there and back')
    expect(await visitor.event('streamClose')).to.include({ bytesToService: 14, bytesToVisitor: 14, reason: 'end' })

    const wrong = start(['visit', 'db', '--secret', 'another-secret-of-some-length', ...to])
    expect(await ask((await wrong.event('visiting')).address, 'let me in')).to.equal('ECONNRESET')
    expect(await wrong.event('refused')).to.include({ what: 'stream', code: 'stream.no-visits' })

    const other = start(['visit', 'db', '--secret', secret, '--set', 'from=absent', ...to])
    expect(await ask((await other.event('visiting')).address, 'let me in')).to.equal('ECONNRESET')

    expect((await visitor.signal('SIGINT')).code).to.equal(0)
    for (const { events, lines } of running) {
      expect(JSON.stringify([events, lines])).to.not.include('secret-of-some')
    }
  })

  it('say in words where the port is', async () => {
    const to = await serve()
    const words = start(['visit', 'db', '--secret', 'a-secret-of-some-length', ...to.slice(0, -1)])
    expect(await words.line(/→/)).to.match(/^127\.0\.0\.1:\d+ → db$/)
  })

  it('end with what is wrong: a port that is taken, no secret, garbage', async () => {
    // None of them comes as far as a server.
    const to = ['--to', '127.0.0.1:9', '--token', 'a-token-of-the-test', '--json']
    const taken = await listen(() => {})
    const cwd = folders.make()
    const cases: [args: string[], code: number, words: string][] = [
      [['visit', 'db', '--bind', `127.0.0.1:${taken}`], 8, 'listen.in-use'],
      [['visit', 'db', '--bind', 'here'], 2, 'client.forwards[0].bind'],
      [['visit', 'db', '--set', 'bind=1'], 2, '--set: bind of the visitor is given by an argument or a flag'],
      [['visit', 'db', '--set', 'frob=1'], 2, 'client.forwards[0].frob'],
      [['expose', 'private', '9'], 2, 'proxy.invalid'],
      [['expose', 'tcp', '9', '--secret', 'x'], 2, 'client.proxies[0].secret']
    ]
    const check = async ([args, code, words]: (typeof cases)[number]): Promise<void> => {
      const outcome = await rystra([...args, ...to], { cwd })
      expect(outcome.out + outcome.err, args.join(' ')).to.include(words)
      expect(outcome.code, args.join(' ')).to.equal(code)
    }
    await Promise.all(cases.map(check))
  })
})
