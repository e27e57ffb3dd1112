import { returned } from '@rystra/net'
import { background } from '@rystra/plugin'
import type { ConnectionInfo } from './connection-info.js'
import type { Exchange } from './exchange.js'
import { type Head, readHead } from './head.js'
import type { ResponseWriter } from './response-writer.js'
import type { VisitorRequest } from './visitor-request.js'
import { isAtOtherProcess } from './route.js'
import type { World } from './world.js'

const headOf = (request: VisitorRequest, { options }: World): Head | undefined => {
  try {
    return readHead(request, options)
  } catch {
    return undefined
  }
}

/** Starts an exchange: at once, or, where the clients of the process before are about to come back, when its proxy is there. */
export const startExchange = (
  exchange: Exchange,
  { visitor }: ConnectionInfo,
  request: VisitorRequest,
  writer: ResponseWriter,
  world: World
): void => {
  const { table, ports, challenge } = world
  const head = ports.returning === undefined ? undefined : headOf(request, world)
  if (ports.returning === undefined || head === undefined || challenge(head.host, head.path) !== undefined) {
    exchange.start()
    return
  }
  let over = false
  writer.onClose(() => {
    over = true
  })
  const start = (): void => {
    if (!over) exchange.start()
  }
  const isThere = (): boolean =>
    over ||
    ports.awaits?.(head.host) === false ||
    (table.find(head.host, head.path, visitor)?.proxy !== undefined && !isAtOtherProcess(world, head))
  if (isThere()) start()
  else
    background(returned(isThere, ports.returning).then(start), world.log, 'a request that waited for its proxy failed')
}
