import type { Clock } from '@rystra/plugin'

/** Bytes of an answer, unpacked: a hundred keys with their certificates. */
const LARGEST = 1 << 20

/** What is behind a URL. Redirects are not followed. Rejects, in words for the log, for answers that are late or too large. */
export const fetchText = async (url: URL, timeout: number, clock: Clock, stop: AbortSignal): Promise<string> => {
  const late = new AbortController()
  const cancel = clock.after(timeout, () => late.abort(new Error(`no whole answer within ${timeout} ms`)))
  const signal = AbortSignal.any([stop, late.signal])
  try {
    const headers = { accept: 'application/jwk-set+json, application/json' }
    const response = await fetch(url, { headers, redirect: 'manual', signal })
    if (response.status !== 200) {
      await response.body?.cancel()
      throw new Error(`the answer was ${response.status}`)
    }
    const chunks: Uint8Array[] = []
    let size = 0
    // leaving the loop ends the connection
    for await (const chunk of response.body ?? []) {
      size += chunk.length
      if (size > LARGEST) throw new Error(`the answer has more than ${LARGEST} bytes`)
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

/** `fetch failed` alone says nothing; what it wraps does. */
const causeOf = (error: unknown): unknown => {
  const { cause } = error as { cause?: { code?: unknown; message?: string } }
  if (cause === undefined) return error
  return new Error(String(cause.code ?? cause.message), { cause: error })
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** What speaks against a URL for keys: who can change them on the way can let anybody in. */
export const urlFault = ({ protocol, hostname, username, password }: URL): string | undefined => {
  if (username !== '' || password !== '') return 'has credentials in it'
  if (protocol === 'https:' || (protocol === 'http:' && loopback.test(hostname))) return undefined
  return 'has to be https, unless it is on this machine'
}
