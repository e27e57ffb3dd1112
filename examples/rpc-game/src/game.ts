import { RpcClient, RpcServer, type RpcStream } from '@rystra/rpc'

const HZ = 60

/** Where each player is. */
export type Positions = Record<string, number>

/** What one player saw and heard. */
export interface Played {
  readonly mode: RpcStream['mode']
  /** States that came. */
  readonly states: number
  readonly last: Positions
  /** Bytes of voice that came from the other player. */
  readonly voice: number
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))

/** Runs a server over `transport`, two players, and so many turns at 60 Hz. */
export const play = async (transport: string, turns: number): Promise<Played[]> => {
  const token = 'a-token-for-this-example'
  const positions: Positions = {}
  const voices = new Set<RpcStream>()
  const server = await RpcServer.builder()
    .bind(`${transport}://127.0.0.1:0`)
    .tokens([{ identity: 'player', token }])
    .listener('move', (session, step: number) => {
      const { id } = session.remote
      positions[id] = (positions[id] ?? 0) + step
    })
    .streamHandler('state', async (_session, stream) => {
      while (!stream.closed) {
        await stream.send(positions)
        await wait(1000 / HZ)
      }
    })
    .streamHandler('voice', async (_session, stream) => {
      voices.add(stream)
      for await (const sound of stream) {
        for (const other of voices) if (other !== stream && !other.closed) void other.send(sound)
      }
    })
    .build()
    .start()
  const [{ port, join } = { port: 0 }] = server.addresses
  try {
    const names = ['alice', 'bob']
    return await Promise.all(
      names.map((id) => playOne(`${transport}://127.0.0.1:${port}`, id, token, turns, { ...join }))
    )
  } finally {
    await server.stop(0)
  }
}

const playOne = async (to: string, id: string, token: string, turns: number, dial: object): Promise<Played> => {
  const client = await RpcClient.connect(to, { id, token, dial: dial as Record<string, unknown> })
  const state = client.createStream('state', { unreliable: true })
  const voice = client.createStream('voice', { unreliable: true })
  let states = 0
  let last: Positions = {}
  let heard = 0
  const over = (): void => {}
  const watching = (async () => {
    for await (const positions of state) {
      states += 1
      last = positions as Positions
    }
  })().catch(over)
  const listening = (async () => {
    for await (const sound of voice) heard += (sound as Uint8Array).length
  })().catch(over)
  for (let turn = 0; turn < turns; turn++) {
    void client.emit('move', 1)
    await voice.send(Buffer.alloc(80, turn))
    await wait(1000 / HZ)
  }
  // The other player has made its last move too.
  for (let tries = 0; tries < 300 && Object.values(last).filter((place) => place === turns).length < 2; tries++)
    await wait(10)
  const { mode } = state
  await client.close()
  await Promise.all([watching, listening])
  return { mode, states, last, voice: heard }
}
