import type { ExplainParts } from '@rystra/control'
import { RystraError } from '@rystra/model'
import net from 'node:net'
import { HANDLER } from './handlers.js'
import { connectOptions, parseService } from './service.js'

/** Milliseconds for a service to be reached. */
const PROBE_TIMEOUT_MS = 3000

/** Connects to the service of a proxy, and closes at once. */
export const probeService: ExplainParts['probe'] = ({ info: { spec } }) => {
  const local = String(spec['local'])
  // A service within this process runs as long as the process does.
  if (local.startsWith(HANDLER)) return Promise.resolve()
  return new Promise((resolve, reject) => {
    const socket = net.connect(connectOptions(parseService(local)))
    const fail = (detail: string): void => {
      socket.destroy()
      reject(new RystraError('stream.service-unreachable', { side: 'client', detail: `${local} (${detail})` }))
    }
    const timer = setTimeout(() => fail('no answer'), PROBE_TIMEOUT_MS)
    socket.once('close', () => clearTimeout(timer))
    socket.on('error', ({ code, message }: NodeJS.ErrnoException) => fail(code ?? message))
    socket.once('connect', () => {
      socket.destroy()
      resolve()
    })
  })
}
