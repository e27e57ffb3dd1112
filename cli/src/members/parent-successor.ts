import type { ReadySuccessor, Successor, SuccessorOptions } from '@rystra/control'
import { fromWireError, RystraError } from '@rystra/model'
import { listeningServers } from '@rystra/net'
import type { AddressInfo } from 'node:net'
import type { SentHandle } from './handed-sockets.js'
import type { FromMember, FromParent, SuccessorAnswer } from './messages.js'

/** Milliseconds in which the parent has to answer, beside those that the new process has. */
const ANSWER_TIMEOUT_MS = 15_000

/** The side of a member: messages to and from its parent, with sockets. */
export interface HandlePort {
  send(message: FromMember, sent?: () => void, handle?: SentHandle): void
  onMessage(listener: (message: FromParent) => void): void
}

interface Listening {
  readonly handle: SentHandle
  readonly address: AddressInfo
}

const listening = (): Listening[] =>
  [...listeningServers].flatMap((server) => {
    const { _handle: handle } = server as unknown as { readonly _handle?: SentHandle | null }
    const address = server.address()
    return handle == null || address === null || typeof address === 'string' ? [] : { handle, address }
  })

/** The process that takes over from a member is started by its parent, which gets the listening sockets for it. */
export const parentSuccessor = (port: HandlePort): Successor => {
  let onAnswer: (answer: SuccessorAnswer) => void = () => {}
  port.onMessage((message) => {
    if ('successor' in message) onAnswer(message.successor)
  })
  const ask = (message: FromMember, timeout: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const detail = `the process that starts the members did not answer within ${timeout} ms`
        reject(new RystraError('control.upgrade-failed', { side: 'server', detail }))
      }, timeout)
      onAnswer = (answer) => {
        clearTimeout(timer)
        if ('error' in answer) reject(fromWireError(answer.error, 'server'))
        else resolve(answer.pid)
      }
      port.send(message)
    })
  return {
    start: async ({ timeout, chosen }: SuccessorOptions): Promise<ReadySuccessor> => {
      const found = listening()
      for (const { handle } of found) port.send({ successor: 'socket' }, undefined, handle)
      const sockets = found.map(({ address }) => ({
        passed: true,
        chosen: chosen.some(({ host, port: number }) => host === address.address && number === address.port)
      }))
      const pid = await ask({ successor: 'start', timeout, sockets }, timeout + ANSWER_TIMEOUT_MS)
      return {
        pid,
        sockets: found.length,
        take: async () => void (await ask({ successor: 'take' }, ANSWER_TIMEOUT_MS)),
        left: (published) => port.send({ successor: 'left', published })
      }
    }
  }
}
