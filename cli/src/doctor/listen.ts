import { createServer } from 'node:net'
import { formatAddress } from '../address.js'
import { type Check, fail, type Finding, ok, skip } from './finding.js'
import { isDatagram } from './network.js'
import { runningApis } from './running.js'
import type { Subject } from './subject.js'

/** Binds an address and gives it back: what is in the way, if anything. */
const bindProblem = (host: string, port: number): Promise<string | undefined> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', ({ code, message }: NodeJS.ErrnoException) => resolve(code ?? message))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)))
  })

const hints: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process has it: find it with `ss -ltnp`, or change the port',
  EACCES: 'ports below 1024 need a right: CAP_NET_BIND_SERVICE in the unit of systemd, or another port',
  EADDRNOTAVAIL: 'this machine does not have the address: use 0.0.0.0, or one that it has'
}

/** Whether a server that does not run could listen where it is to. */
export const listenCheck = (subject: Subject): Check => ({
  name: 'listen',
  async run() {
    const { config } = subject
    if (config?.server === undefined) return []
    if ((await runningApis(subject)).length > 0) return [skip('listen', 'The server runs, and has its addresses.')]
    const findings = config.server.listen.map(async ({ transport, host, port, address }): Promise<Finding> => {
      if (address !== undefined) return skip('listen', `${transport} ${address} is no address of TCP.`)
      const where = `${transport} ${formatAddress({ host, port })}`
      if (isDatagram(transport)) return skip('listen', `${where} is a port of UDP.`)
      const problem = await bindProblem(host, port)
      if (problem === undefined) return ok('listen', `${where} is free.`)
      return fail('listen', `${where} cannot be bound: ${problem}.`, hints[problem] ?? 'choose another address')
    })
    return Promise.all(findings)
  }
})
