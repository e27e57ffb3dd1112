/**
 * A program behind NAT is called from the public side: two machines as network namespaces, and a router between them that
 * masquerades with nftables. Not part of `npm test`: it needs root, iproute2 and nft, and says aloud what it did not find.
 *
 *     npm run interop:rpc                      # needs a build
 */
import { execFile, execFileSync } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { which } from '../bench/peer.js'
import { type Program, Scratch, untilSays } from '../bench/scratch.js'

const run = promisify(execFile)
const root = path.resolve(import.meta.dirname, '../..')
const cli = path.join(root, 'cli/bin/run.js')
const token = 'nat-token-2f9c4d71ab'
/** Of this process, so that what an earlier run left behind is not in the way. */
const own = process.pid % 10_000
const [home, router, world] = [`rystra-home-${own}`, `rystra-nat-${own}`, `rystra-world-${own}`]
const [device, gateway, outside, server] = ['192.168.77.2', '192.168.77.1', '203.0.113.1', '203.0.113.7']
const port = 7000

const ip = (...words: string[]): void => {
  execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'pipe'] })
}

let cables = 0

/** A cable between two namespaces, with an address at each end. */
const cable = (one: string, its: string, other: string, others: string): void => {
  const [a, b] = [`ry${own}a${++cables}`, `ry${own}b${cables}`]
  ip('link', 'add', a, 'netns', one, 'type', 'veth', 'peer', 'name', b, 'netns', other)
  ip('-n', one, 'addr', 'add', `${its}/24`, 'dev', a)
  ip('-n', other, 'addr', 'add', `${others}/24`, 'dev', b)
  ip('-n', one, 'link', 'set', a, 'up')
  ip('-n', other, 'link', 'set', b, 'up')
}

const inside = (namespace: string, ...command: string[]): [string, string[]] => [
  'ip',
  ['netns', 'exec', namespace, ...command]
]

const setUp = (): void => {
  for (const namespace of [home, router, world]) {
    ip('netns', 'add', namespace)
    ip('-n', namespace, 'link', 'set', 'lo', 'up')
  }
  cable(home, device, router, gateway)
  cable(world, server, router, outside)
  ip('-n', home, 'route', 'add', 'default', 'via', gateway)
  const nft = (...words: string[]): void => {
    execFileSync(...inside(router, 'nft', ...words), { stdio: ['ignore', 'ignore', 'pipe'] })
  }
  execFileSync(...inside(router, 'sysctl', '-qw', 'net.ipv4.ip_forward=1'))
  nft('add table ip nat')
  nft('add chain ip nat out { type nat hook postrouting priority 100 ; }')
  nft(`add rule ip nat out ip saddr ${device} masquerade`)
}

const takeDown = (): void => {
  for (const namespace of [home, router, world]) {
    try {
      ip('netns', 'del', namespace)
    } catch {
      // It was not made.
    }
  }
}

const auth = (options: object): object => ({ use: '@rystra/auth-token', options })

const main = async (scratch: Scratch): Promise<void> => {
  scratch.write(
    'services.mjs',
    `export default (rpc) => {
  rpc.handler('disk.usage', (_session, { path }) => ({ path, free: 42 }))
}
`
  )
  scratch.write(
    'seen.mjs',
    `export default (rpc) => {
  rpc.handler('seen', () => [...rpc.sessions()].map(({ remote }) => [remote.id, remote.address.address]))
}
`
  )
  const serving = scratch.write(
    'server.yaml',
    JSON.stringify({
      extensions: [
        auth({ tokens: [{ identity: 'home', token }] }),
        { use: '@rystra/rpc', options: { services: ['./seen.mjs'], relay: [{ identity: 'home', to: 'home-*' }] } }
      ],
      server: { listen: [{ transport: 'tcp', host: server, port }], publish: { host: server } }
    })
  )
  const connecting = scratch.write(
    'client.yaml',
    JSON.stringify({
      extensions: [
        auth({ token }),
        {
          use: '@rystra/rpc',
          options: { services: ['./services.mjs'], access: [{ identity: 'home', name: 'disk.*' }] }
        }
      ],
      client: { id: 'home-nas', connect: { transport: 'tcp', host: server, port }, proxies: [] }
    })
  )
  const start = (namespace: string, ...words: string[]): Program => {
    const [file, args] = inside(namespace, process.execPath, cli, ...words)
    return scratch.start(file, args, { cwd: scratch.dir, env: { ...process.env, RYSTRA_STATE: scratch.dir } })
  }
  await untilSays(start(world, 'serve', '--config', serving), /listening/i, 60_000)
  await untilSays(start(home, 'connect', '--config', connecting), /connected/i, 60_000)
  const call = async (...words: string[]): Promise<unknown> => {
    const to = ['--to', `tcp://${server}:${port}`, '--token', token]
    const { stdout } = await run(...inside(world, process.execPath, cli, 'call', ...words, ...to), { cwd: scratch.dir })
    return JSON.parse(stdout)
  }
  let reached = true
  try {
    ip('-n', world, 'route', 'get', device)
  } catch {
    reached = false
  }
  report('there is no way from the public side to the device', !reached)
  const seen = (await call('server', 'seen')) as [string, string][]
  report(
    'the server sees the address of the router',
    seen.some(([id, address]) => id === 'home-nas' && address === outside),
    seen
  )
  const usage = await call('home-nas', 'disk.usage', '{"path":"/"}')
  report('rystra call gets the answer of the device', JSON.stringify(usage) === '{"path":"/","free":42}', usage)
}

const report = (what: string, right: boolean, seen?: unknown): void => {
  console.log(`${right ? '✔' : '✘'} ${what}${right ? '' : `: ${JSON.stringify(seen)}`}`)
  if (!right) process.exitCode = 1
}

const missing = ['ip', 'nft'].filter((program) => which(program) === undefined)
if (process.getuid?.() !== 0) missing.push('root')
if (missing.length > 0) console.log(`skipped: needs ${missing.join(', ')}`)
else {
  const scratch = new Scratch()
  try {
    setUp()
  } catch (error) {
    console.log(
      `skipped: no namespaces with masquerade here: ${String((error as { stderr?: Buffer }).stderr ?? error).trim()}`
    )
    takeDown()
    await scratch.close()
    process.exit()
  }
  try {
    await main(scratch)
  } finally {
    await scratch.close()
    takeDown()
  }
}
