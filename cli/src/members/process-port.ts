import { toRystraError, toWireError } from '@rystra/model'
import { exit } from '../terminal.js'
import type { FromMember, FromParent } from './messages.js'
import type { HandlePort } from './parent-successor.js'

/** The side of a member: messages to and from its parent. */
export const processPort: HandlePort = {
  send: (message, sent = () => {}, handle = undefined) => {
    if (!process.connected) return sent()
    try {
      process.send?.(message, handle, {}, () => sent())
    } catch (error) {
      sent()
      // What cannot be cloned, such as a function among options: the parent must not wait for it.
      if ('id' in message) process.send?.({ id: message.id, error: toWireError(toRystraError(error)) }, () => {})
    }
  },
  onMessage: (listener) => void process.on('message', (message) => listener(message as FromParent))
}

/** Tells the parent why this member does not start, and ends it: the parent says so to people. */
export const failMember = (cause: unknown): void => {
  const error = toRystraError(cause)
  const message: FromMember = { failed: toWireError(error) }
  if (process.send === undefined || !process.connected) exit(error.exitCode)
  else process.send(message, () => exit(error.exitCode))
}
