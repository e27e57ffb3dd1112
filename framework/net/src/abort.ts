import { asError } from './errors.js'

/** What comes of a promise, unless the signal is aborted before. For what cannot be stopped, and nobody has to wait for. */
export const orAborted = <Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> =>
  new Promise((resolve, reject) => {
    if (signal.aborted) return reject(asError(signal.reason))
    const aborted = (): void => reject(asError(signal.reason))
    signal.addEventListener('abort', aborted, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted))
  })
