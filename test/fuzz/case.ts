import type net from 'node:net'
import { Random } from '@rystra/testkit'
import type { Face } from './face.js'

/** What a hostile peer does: it writes, waits for a turn, ends, or resets. */
type Step = Buffer | 'turn' | 'end' | 'reset'

/** A case, the same for the same seed and face. */
export const stepsOf = (seed: number, { messages }: Face): Step[] => {
  const random = new Random(seed)
  const pick = (): Buffer => messages[random.below(messages.length)] as Buffer
  const count = 1 + random.below(10)
  // Most begin with a valid opening: messages without a session find nothing.
  const parts = [random.below(8) === 0 ? pick() : (messages[0] as Buffer)]
  for (let index = 1; index < count; index++) parts.push(pick())
  const bytes = Buffer.concat(parts)
  if (random.below(10) === 0) bytes[random.below(bytes.length)] = random.below(256)
  // Cut between messages, at any byte, or not at all.
  const cuts = new Set<number>()
  if (random.below(3) === 0) {
    let end = 0
    for (const part of parts) {
      end += part.length
      cuts.add(end)
    }
  } else for (let left = random.below(4); left > 0; left--) cuts.add(random.below(bytes.length + 1))
  const steps: Step[] = []
  let from = 0
  for (const cut of [...cuts, bytes.length].sort((a, b) => a - b)) {
    if (cut > from) steps.push(bytes.subarray(from, cut))
    for (let turns = random.below(3); turns > 0; turns--) steps.push('turn')
    from = cut
  }
  const last = (['end', 'reset', 'turn'] as const)[random.below(3)] as Step
  const at = random.below(4) === 0 ? random.below(steps.length + 1) : steps.length
  return [...steps.slice(0, at), last]
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1))

/** Plays a case on a new connection, and closes the connection. */
export const play = async (steps: readonly Step[], face: Face): Promise<void> => {
  const socket = await face.connect()
  socket.on('error', () => {})
  socket.resume()
  for (const step of steps) {
    if (step === 'turn') await turn()
    else if (step === 'end') socket.end()
    else if (step === 'reset') reset(socket)
    else if (socket.writable) socket.write(step)
  }
  if (!socket.destroyed) await turn()
  socket.destroy()
}

/** A socket of TLS is reset below TLS; a unix socket cannot be reset. */
const reset = (socket: net.Socket & { readonly below?: net.Socket }): void => {
  const { below = socket } = socket
  if (below.remoteAddress === undefined) below.destroy()
  else below.resetAndDestroy()
}

/** A case as a person can read it. */
export const describeSteps = (steps: readonly Step[]): string =>
  steps.map((step) => (typeof step === 'string' ? step : step.subarray(0, 200).toString('hex'))).join(' ')
