import type { ListenHost } from '@rystra/plugin'

/** Listeners on ports that are so much higher; port 0 stays any free one. */
export const offsetPorts = (ports: ListenHost, offset: number): ListenHost => ({
  get returning() {
    return ports.returning
  },
  awaits: (name) => ports.awaits?.(name) ?? true,
  get otherProcess() {
    return ports.otherProcess
  },
  listenTcp: (options, signal) =>
    ports.listenTcp({ ...options, port: options.port === 0 ? 0 : options.port + offset }, signal)
})
