import type { Clock } from '@rystra/plugin'

/** Largest decoded response: a hundred keys with certificates. */
const MAX_BYTES = 1 << 20

/** Fetches a text. Redirects are not followed. Rejects on timeout and for large responses; the text is for the log. */
export const fetchText = async (url: URL, timeout: number, clock: Clock, stop: AbortSignal): Promise<string> => {
  const late = new AbortController()
  const cancel = clock.after(timeout, () => late.abort(new Error(`no complete response within ${timeout} ms`)))
  const signal = AbortSignal.any([stop, late.signal])
  try {
    const headers = { accept: 'application/jwk-set+json, application/json' }
    const response = await fetch(url, { headers, redirect: 'manual', signal })
    if (response.status !== 200) {
      await response.body?.cancel()
      throw new Error(`response status ${response.status}`)
    }
    const chunks: Uint8Array[] = []
    let size = 0
    // Leaving the loop closes the connection.
    for await (const chunk of response.body ?? []) {
      size += chunk.length
      if (size > MAX_BYTES) throw new Error(`response larger than ${MAX_BYTES} bytes`)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks).toString('utf8')
  } catch (error) {
    signal.throwIfAborted()
    throw causeOf(error)
  } finally {
    cancel()
  }
}

/** The message `fetch failed` is not specific; its cause is. */
const causeOf = (error: unknown): unknown => {
  const { cause } = error as { cause?: { code?: unknown; message?: string } }
  if (cause === undefined) return error
  return new Error(String(cause.code ?? cause.message), { cause: error })
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** The problem of a key set URL: a man in the middle could replace the keys. */
export const urlFault = ({ protocol, hostname, username, password }: URL): string | undefined => {
  if (username !== '' || password !== '') return 'must not contain credentials'
  if (protocol === 'https:' || (protocol === 'http:' && loopback.test(hostname))) return undefined
  return 'must be https, or on this machine'
}
