import type net from 'node:net'

/** An accepted connection before Node makes a socket of it. */
export interface AcceptedHandle {
  readonly fd: number
  close(): void
}

type OnConnection = (this: unknown, status: number, handle?: AcceptedHandle) => void

/**
 * Offers what a listener accepts to `take` before Node makes a socket of it. `true`: it has a copy of the descriptor, and the
 * handle is closed. To be called when it listens. The handle of a server is not part of Node's documented interface: nothing
 * is offered where it is not as expected.
 */
export const offerHandles = (server: net.Server, take: (handle: AcceptedHandle) => boolean): void => {
  const listening = (server as unknown as { _handle?: { onconnection?: OnConnection } | null })._handle
  const before = listening?.onconnection
  if (typeof before !== 'function') return
  const offer: OnConnection = function (this: unknown, status, handle) {
    const usable =
      status === 0 && typeof handle?.fd === 'number' && handle.fd >= 0 && typeof handle.close === 'function'
    if (usable && take(handle)) handle.close()
    else before.call(this, status, handle)
  }
  Object.assign(listening as object, { onconnection: offer })
}
