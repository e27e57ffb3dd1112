/** What a directory on Redis costs: claims in a second, and memory in the engine and at a server for each name. `node … costs.ts redis://…` */
import clusterRedis from '@rystra/cluster-redis'
import { Replica } from '@rystra/cluster'
import { setUpExtension } from '@rystra/testkit'
import { silentLog } from '@rystra/plugin'
import { systemClock } from '@rystra/kernel'

const NAMES = 20_000
const AT_ONCE = 256
const [url = 'redis://127.0.0.1:6379'] = process.argv.slice(2)

const [directory] = setUpExtension(clusterRedis({ url }), 'server').registered('directories')
const open = (name: string) =>
  directory?.open({
    cluster: 'costs',
    name,
    instance: `instance-${name}`,
    value: { host: '127.0.0.1', port: 1 },
    lease: 60_000,
    grace: 60_000,
    clock: systemClock,
    log: silentLog
  })
const [a, b] = [open('a'), open('b')]
if (a === undefined || b === undefined) throw new Error('no directory')
await a.join()
await b.join()

const spec = { name: 'web', kind: 'http', host: ['app.example.org'], healthCheck: true }
const session = {
  id: 'a-session-of-some-length',
  identity: { id: 'home' },
  client: { id: 'machine-0123', instance: 'an-instance-of-a-client', agent: 'rystra/0.1.0' },
  peer: { address: '192.0.2.1', port: 40_000 },
  transport: 'tls',
  muxer: 'yamux',
  since: 0
}
let begin = performance.now()
for (let at = 0; at < NAMES; at += AT_ONCE) {
  const claims = Array.from({ length: Math.min(AT_ONCE, NAMES - at) }, (_, index) => {
    const id = `${session.id}.${at + index}`
    const value = { spec, session, address: 'http://app.example.org', healthy: true, ports: [] }
    return a.claim({ key: `proxy ${id}`, id, owner: 'home', value })
  })
  await Promise.all(claims)
}
const claimed = performance.now() - begin
const heap = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}
const before = heap()
const replica = new Replica(
  { onRow: () => {}, onGone: () => {}, onMember: () => {}, onMemberGone: () => {} },
  systemClock,
  60_000
)
begin = performance.now()
await b.watch(replica)
const read = performance.now() - begin
const after = heap()
console.log(`${Math.round((NAMES / claimed) * 1000)} claims in a second`)
console.log(`${Math.round((NAMES / read) * 1000)} rows in a second are read by a server that joins`)
console.log(`${Math.round((after - before) / NAMES)} bytes of a server for each row`)
console.log(`rows in the replica: ${[...replica.rows].length}`)
replica.stop()
await a.leave()
await b.leave()
