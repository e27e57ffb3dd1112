import type { ExplainParts } from '@rystra/control'
import type { ServerProxy } from './proxy.js'

/** Milliseconds for a service to be reached. */
const PROBE_TIMEOUT_MS = 5000

/** Opens a stream to the service of a proxy that no hook and no limit counts, and resets it. */
export const probeService: ExplainParts['probe'] = async (proxy, { visitor }) => {
  const options = { carrier: true, timeout: PROBE_TIMEOUT_MS }
  const { stream } = await (proxy as ServerProxy).openStream(visitor, options)
  stream.on('error', () => {})
  stream.destroy()
}
