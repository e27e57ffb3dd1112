import type { HookCalls } from '@rystra/kernel'
import { duplexPair, type RawStream, rawOf } from '@rystra/bytes'
import { expect } from 'chai'
import { type RystraError, type SessionInfo, silentLog } from '@rystra/model'
import type { Channel, ChannelHandler, CloseChannelContext } from '@rystra/plugin'
import { encode } from '@rystra/protocol'
import { Channels, OutgoingStream, readMessage } from '../src/index.js'
import { generation, registryOf } from './fakes.js'
import { failure } from '@rystra/testkit'

const info = { id: 'session' } as unknown as SessionInfo
const clock = { now: () => 0, after: () => () => {} }

const echo: ChannelHandler = {
  name: 'echo',
  refuse: ({ details }) => (details['bad'] === true ? 'a bad one' : undefined),
  onChannel: ({ stream }) => {
    stream.read({
      onBytes: (buffer, start, end) => {
        stream.write(Buffer.from(buffer.subarray(start, end)), 0, end - start, false)
        return true
      },
      onEnd: () => stream.end()
    })
  }
}

/** Two ends whose streams are joined in memory. */
const ends = ({
  calls = {},
  limit = 4096,
  clientLimit = limit
}: {
  calls?: Partial<HookCalls>
  limit?: number
  clientLimit?: number
} = {}) => {
  const closed: CloseChannelContext[] = []
  const there = generation(
    { closeChannel: (context) => void closed.push(context), ...calls },
    { channels: registryOf({ echo }) }
  )
  const here = generation({ closeChannel: (context) => void closed.push(context) })
  const make = (side: 'client' | 'server', current: typeof here, openRaw: () => RawStream): Channels =>
    new Channels({
      info,
      side,
      generations: { side, current },
      clock,
      log: silentLog,
      flows: undefined,
      limit: side === 'client' ? clientLimit : limit,
      open: async (head) =>
        new OutgoingStream(openRaw(), {
          side: side === 'client' ? 'server' : 'client',
          head: Buffer.from(encode(head(undefined))),
          flow: undefined,
          clock,
          timeout: undefined
        })
    })
  const server = make('server', there, () => rawOf(duplexPair()[0]))
  const client = make('client', here, () => {
    const [one, other] = duplexPair()
    const raw = rawOf(other)
    readMessage(raw, {
      onMessage: (message) => void (message.type === 'OpenChannel' && server.accept(raw, message)),
      onError: () => {}
    })
    return rawOf(one)
  })
  return { client, server, closed, held: () => here.held + there.held }
}

const textOf = (channel: Channel): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = ''
    channel.stream.onClose = (error) => (error === undefined ? resolve(text) : reject(error))
    channel.stream.read({
      onBytes: (buffer, start, end) => {
        text += buffer.toString('utf8', start, end)
        return true
      },
      onEnd: () => {}
    })
  })

const say = (channel: Channel, text: string): void => {
  const bytes = Buffer.from(text)
  channel.stream.write(bytes, 0, bytes.length, true)
  channel.stream.end()
}

describe('channels', () => {
  it('carry bytes at once, in front of the answer, and tell the hooks of both ends', async () => {
    const { client, server, closed, held } = ends()
    const channel = await client.openChannel('echo', { details: { of: 'a test' } })
    const heard = textOf(channel)
    say(channel, 'hello')
    expect(await heard).to.equal('hello')
    await channel.accepted
    expect([client.size, server.size, held()]).to.deep.equal([0, 0, 0])
    expect(
      closed.map(({ side, bytesSent, bytesReceived, error }) => [side, bytesSent, bytesReceived, error])
    ).to.have.deep.members([
      ['client', 5, 5, undefined],
      ['server', 5, 5, undefined]
    ])
    expect(closed[0]?.details).to.deep.equal({ of: 'a test' })
  })

  it('are refused with channel.unknown where there is no handler of that name', async () => {
    const { client, held } = ends()
    const channel = await client.openChannel('nothing')
    const error = await failure(textOf(channel))
    expect([error.code, error.side]).to.deep.equal(['channel.unknown', 'server'])
    expect([client.size, held()]).to.deep.equal([0, 0])
  })

  it('are refused with channel.refused by the handler and by a hook, with the reason', async () => {
    const { client } = ends()
    expect((await failure(textOf(await client.openChannel('echo', { details: { bad: true } })))).message).to.match(
      /a bad one/
    )
    const guarded = ends({ calls: { openChannel: () => Promise.resolve({ deny: 'not now' }) } })
    const error = await failure(textOf(await guarded.client.openChannel('echo')))
    expect([error.code, error.detail]).to.deep.equal(['channel.refused', 'not now'])
  })

  it('are limited at both ends, and one that is over makes room', async () => {
    const { client } = ends({ limit: 1 })
    const first = await client.openChannel('echo')
    expect((await failure(client.openChannel('echo'))).code).to.equal('channel.limit')
    const over = textOf(first)
    say(first, 'x')
    await over
    await client.openChannel('echo')
  })

  it('from a client that opens thousands are refused beyond the limit, and all are given back', async () => {
    const { client, server, held } = ends({ limit: 500, clientLimit: 20_000 })
    const channels = await Promise.all(Array.from({ length: 2000 }, () => client.openChannel('echo')))
    let refused = 0
    for (const { stream } of channels)
      stream.onClose = (error) => {
        if ((error as RystraError).code === 'channel.limit') refused += 1
      }
    for (const { stream } of channels) stream.read({ onBytes: () => true, onEnd: () => {} })
    while (refused < 1500 || client.size > 500) await new Promise(setImmediate)
    expect([server.size, refused]).to.deep.equal([500, 1500])
    for (const channel of channels) channel.close()
    while (server.size > 0) await new Promise(setImmediate)
    expect([client.size, held()]).to.deep.equal([0, 0])
  })

  it('whose work fails to say what is in flight are not waited for', async () => {
    const { client } = ends()
    const [failing, wrong, busy] = await Promise.all([1, 2, 3].map(() => client.openChannel('echo')))
    const left = client.left(3)
    const goAway = (): void => {}
    const fail = (): never => {
      throw new Error('of the extension')
    }
    Object.assign(failing as Channel, {
      work: {
        goAway,
        get inFlight() {
          return fail()
        }
      }
    })
    Object.assign(wrong as Channel, { work: { goAway, inFlight: Number.NaN } })
    Object.assign(busy as Channel, { work: { goAway, inFlight: 2 } })
    expect([left, client.left(3), client.left(3)]).to.deep.equal([0, 2, 2])
    expect(failing?.work).to.equal(undefined)
  })

  it('that are closed by their user tell the hook why', async () => {
    const { client, closed } = ends()
    const channel = await client.openChannel('echo')
    await channel.accepted
    const over = failure(textOf(channel))
    channel.close()
    expect((await over).code).to.equal('stream.reset')
    expect(closed.find(({ side }) => side === 'client')?.error?.code).to.equal('stream.reset')
  })
})
