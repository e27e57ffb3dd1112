import { Type } from '@sinclair/typebox'
import { expect } from 'chai'
import {
  defineService,
  describeMarkdown,
  describeService,
  event,
  fromServer,
  handler,
  listener,
  request,
  reverse,
  RpcError,
  type RpcSession,
  stream
} from '../src/index.js'
import { register } from '../src/service/decorators.js'
import { implement } from '../src/service/implement.js'
import { pair } from './pair.js'

const Chat = defineService('chat', {
  login: request(
    Type.Object({ user: Type.String({ minLength: 1 }) }),
    Type.Object({ rooms: Type.Array(Type.String()) }),
    {
      errors: { 'chat.taken': Type.Object({ by: Type.String() }) },
      idempotent: true
    }
  ),
  typed: event(Type.Object({ room: Type.String() })),
  echo: stream(Type.Number(), Type.String()),
  said: fromServer(event(Type.Object({ text: Type.String() }))),
  away: fromServer(request(Type.Object({}), Type.Boolean()))
})

const failure = async (promise: Promise<unknown>): Promise<RpcError> => {
  try {
    await promise
  } catch (error) {
    return error as RpcError
  }
  throw new Error('it did not fail')
}

describe('a service', () => {
  it('reads like local calls on one side, and is handled on the other', async () => {
    const { left, right } = await pair()
    const typed = new Promise<string>((resolve) =>
      implement(right.router, Chat, {
        login: (_session, { user }) => {
          if (user === 'bob') throw new RpcError('chat.taken', { data: { by: 'another' } })
          return { rooms: [`room of ${user}`] }
        },
        typed: (_session, { room }) => resolve(room),
        echo: async (_session, numbers) => {
          for await (const number of numbers) await numbers.send(`${number + 1}`)
          numbers.end()
        }
      })
    )
    const chat = left.use(Chat)
    const { rooms } = await chat.login({ user: 'alice' })
    expect(rooms).to.deep.equal(['room of alice'])
    void chat.typed({ room: 'one' })
    expect(await typed).to.equal('one')
    const numbers = chat.echo()
    await numbers.send(1)
    const text: string | undefined = await numbers.recv()
    expect(text).to.equal('2')
    numbers.end()
    const error = await failure(chat.login({ user: 'bob' }))
    expect([error.code, error.data]).to.deep.equal(['chat.taken', { by: 'another' }])
    expect(left.use(Chat)).to.equal(chat)
  })

  it('is called by the server where it says fromServer', async () => {
    const { left, right } = await pair()
    const chat = left.use(Chat)
    const heard = new Promise<string>((resolve) => chat.said((_session, { text }) => resolve(text)))
    chat.away(() => true)
    const client = right.use(reverse(Chat))
    void client.said({ text: 'hello' })
    expect(await heard).to.equal('hello')
    expect(await client.away({})).to.equal(true)
  })

  it('refuses what does not fit on receipt, with the path and without the value', async () => {
    const { left, right } = await pair()
    implement(right.router, Chat, {
      login: (_session, { user }) => ({ rooms: user === 'bad' ? ([7] as never) : [] }),
      typed: () => {},
      echo: () => {}
    })
    const error = await failure(left.use(Chat).login({ user: 5, secret: 'hunter2' } as never))
    expect(error.code).to.equal('rpc.invalid')
    expect(error.message).to.include('/user').and.not.include('hunter2')
    const answer = await failure(left.use(Chat).login({ user: 'bad' }))
    expect([answer.code, answer.message.includes('/rooms/0')]).to.deep.equal(['rpc.invalid', true])
    const numbers = left.use(Chat).echo()
    right.router.streamHandler({
      name: 'chat.echo',
      fn: async (_session, reading) => void (await reading.send(5))
    })
    await numbers.send(1)
    expect((await failure(numbers.recv())).code).to.equal('rpc.invalid')
  })

  it('is made of the marked methods of a class as well', async () => {
    class Audio {
      #playing = false

      @handler('audio.play')
      play(_session: RpcSession, { file }: { file: string }): string {
        this.#playing = true
        return `playing ${file}`
      }

      @listener('audio.stop')
      stop(): void {
        this.#playing = false
      }

      @handler('audio.status')
      status(): boolean {
        return this.#playing
      }
    }
    class Louder extends Audio {
      override play(_session: RpcSession, { file }: { file: string }): string {
        return file
      }
    }
    const { left, right } = await pair()
    register(right.router, new Audio())
    expect(await left.request('audio.play', { file: 'a.wav' })).to.equal('playing a.wav')
    expect(await left.request('audio.status')).to.equal(true)
    void left.emit('audio.stop')
    expect(await left.request('audio.status')).to.equal(false)
    register(left.router, new Louder())
    expect((await failure(right.request('audio.play', {}))).code).to.equal('rpc.unknown')
  })

  it('describes itself as JSON Schema and as a table', () => {
    const described = describeService(Chat)
    expect(described.members['chat.login']).to.deep.include({
      kind: 'request',
      from: 'client',
      terms: { idempotent: true }
    })
    expect(described.members['chat.said']?.from).to.equal('server')
    expect(JSON.parse(JSON.stringify(described))).to.deep.equal(described)
    expect(describeMarkdown(Chat)).to.include('| `chat.typed` | event | client | data `{ room: string }` |')
  })
})
