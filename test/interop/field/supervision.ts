import { once } from 'node:events'
import { spawn } from 'node:child_process'
import net from 'node:net'
import path from 'node:path'
import { loopback } from '../../bench/address.js'
import { which } from '../../bench/peer.js'
import { type Program, untilSays } from '../../bench/scratch.js'
import { freePort } from '../visitors/free-port.js'
import { must, run, type Trial } from '../visitors/trial.js'
import { cli, Tunnel } from '../visitors/tunnel.js'
import { untilListens } from '../visitors/until-listens.js'

/** As systemd with Restart=always and RestartSec=0: a command that ends is started again, and how it ended is a line. */
const supervisor = 'while :; do "$@" & echo "pid $!"; wait $!; echo "ended $?"; [ -e "$STOP" ] && exit 0; done'

/** When a published port answers again, from now on. Throws after a quarter of a minute. */
const untilEchoes = async (port: number): Promise<number> => {
  const begin = performance.now()
  while (performance.now() - begin < 15_000) {
    const socket = net.connect(port, loopback)
    const answer = await Promise.race([
      once(socket, 'connect').then(() => {
        socket.write('x')
        return once(socket, 'data').then(() => 'data')
      }),
      once(socket, 'close').then(() => 'close'),
      new Promise((resolve) => setTimeout(resolve, 1000))
    ]).catch(() => 'error')
    socket.destroy()
    if (answer === 'data') return performance.now() - begin
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('nothing came back within 15 s')
}

const pidOf = (program: Program): number => Number([...program.said().matchAll(/pid (\d+)/g)].at(-1)?.[1])

const codesOf = (program: Program): string =>
  [...program.said().matchAll(/ended (\d+)/g)].map(([, code]) => code).join(',')

const quick = (...args: string[]): string[] => [
  process.execPath,
  cli,
  ...args,
  '--token',
  'supervision-token-0123456789'
]

export const supervision: Trial = {
  name: 'supervision',
  programs: ['sh'],
  async use(scratch, report) {
    const echo = net.createServer((socket) => socket.on('error', () => {}).pipe(socket))
    echo.listen(0, loopback)
    await once(echo, 'listening')
    const service = (echo.address() as net.AddressInfo).port
    const env = { ...process.env, RYSTRA_STATE: path.join(scratch.dir, 'state'), STOP: path.join(scratch.dir, 'stop') }
    const options = { cwd: scratch.dir, env }
    const [port, published] = [await freePort(), await freePort()]
    const serve = quick('serve', '--transport', 'tcp', '--host', loopback, '--port', String(port), '--http-port', '0')
    const to = ['--to', `tcp://${loopback}:${port}`, '--port', String(published)]
    try {
      const server = scratch.start('sh', ['-c', supervisor, 'sh', ...serve], options)
      await untilListens(port)
      const client = scratch.start(
        'sh',
        ['-c', supervisor, 'sh', ...quick('expose', 'tcp', String(service), ...to)],
        options
      )
      await untilEchoes(published)
      for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
        for (const [name, program] of Object.entries({ server, client })) {
          await report.check(`${signal} to the ${name}`, async () => {
            const pid = pidOf(program)
            process.kill(pid, signal)
            await untilSays(program, new RegExp(`ended \\d+\\s(?![\\s\\S]*pid ${pid})`))
            const waited = await untilEchoes(published)
            return `visitors are served again after ${Math.round(waited)} ms, start of the process included; codes ${codesOf(program)}`
          })
        }
      }
      scratch.write('stop', '')
      await report.check('stop: SIGTERM to both', async () => {
        for (const program of [client, server]) {
          const gone = once(program.child, 'exit')
          process.kill(pidOf(program), 'SIGTERM')
          await gone
          must(codesOf(program).endsWith('0'), `codes ${codesOf(program)}: ${program.said()}`)
        }
        return 'both end with 0'
      })
      await report.check('SIGHUP without a terminal and a configuration', async () => {
        const program = scratch.start(process.execPath, serve.slice(1), options)
        await untilListens(port)
        process.kill(program.pid, 'SIGHUP')
        await untilListens(port)
        must(program.child.exitCode === null, program.said())
        await scratch.end(program.child)
        return 'ignored'
      })
      await report.check('SIGHUP with a configuration', async () => {
        const { server: configured } = await Tunnel.serve(scratch, { name: 'hup', extensions: [] })
        process.kill(configured.pid, 'SIGHUP')
        await untilSays(configured, /configuration reloaded/)
        return 'read again'
      })
      if (which('unshare') === undefined || process.getuid?.() !== 0)
        report.skip('as process 1', 'unshare not found, or not root')
      else
        await report.check('as process 1 of a namespace', async () => {
          const child = spawn('unshare', ['--pid', '--fork', '--mount-proc', '--kill-child', ...serve], options)
          const program = scratch.adopt(child, 'unshare')
          await untilListens(port)
          const { stdout } = await run('ps', ['-o', 'pid=', '--ppid', String(program.pid)])
          const gone = once(child, 'exit')
          process.kill(Number(stdout), 'SIGTERM')
          const [code] = await Promise.race([
            gone,
            new Promise<string[]>((resolve) => setTimeout(resolve, 8000, ['still runs']))
          ])
          must(code === 0, `${code}: ${program.said()}`)
          return 'SIGTERM ends it with 0'
        })
    } finally {
      echo.close()
    }
  }
}
