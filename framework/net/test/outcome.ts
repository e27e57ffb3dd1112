import { isRystraError, type RystraError } from '@rystra/plugin'
import type net from 'node:net'

export const never = new AbortController().signal

/** The error a promise fails with, which has to be one of own. */
export const failure = async (promise: Promise<unknown>): Promise<RystraError> => {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown
  )
  if (!isRystraError(error)) throw error
  return error
}

/** All that comes until the end. */
export const readAll = (socket: net.Socket): Promise<string> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.once('end', () => resolve(Buffer.concat(chunks).toString('latin1')))
    socket.once('error', reject)
  })

export { until } from '@rystra/testkit'
