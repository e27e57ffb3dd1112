import type { LoadedConfig, RystraConfig } from '@rystra/config'
import { loadWithPreset, systemClock } from '@rystra/kernel'
import { RystraError } from '@rystra/model'
import { canReusePort } from '@rystra/net'
import { createLog, reportedOnTerminal } from '../log.js'
import { forkMember } from '../members/fork-member.js'
import { checkMembers, isOfParent } from '../members/member-config.js'
import { checkCount, Members } from '../members/members.js'
import { loadAdmin } from '../preset.js'
import { packageResolver } from '../project/resolver.js'
import { RecentLines } from '../recent-lines.js'
import { Feed } from './feed.js'
import type { ServeOptions } from './serve-options.js'
import { stateFolder } from './state.js'
import { StopSignals } from './stop-signals.js'
import { untilStopped } from './until-stopped.js'

/** Runs several processes of one server until it is told to stop. Rejects with what it could not start with. */
export const serveMembers = async (
  options: ServeOptions,
  loaded: LoadedConfig | undefined,
  config: RystraConfig | undefined
): Promise<void> => {
  const { members: count = 0, json, debug, 'reuse-port': reusePort = false } = options
  checkCount(count)
  if (loaded === undefined || config === undefined) {
    throw new RystraError('usage.invalid', {
      detail: '--members needs a configuration',
      hint: 'make one with `rystra init`, then run `rystra serve --members` in its folder'
    })
  }
  if (reusePort && !(await canReusePort())) {
    throw new RystraError('usage.invalid', {
      detail: `--reuse-port: several processes cannot listen on one port here (Node ${process.versions.node}, ${process.platform})`,
      hint: 'it needs Node 22.12 or 23.1 on Linux; without it members listen on consecutive ports'
    })
  }
  checkMembers(config, count, reusePort)
  const signals = new StopSignals()
  const { dir, path } = loaded
  const brief = !reportedOnTerminal(config.log)
  const recent = options.admin ? new RecentLines() : undefined
  const log = await createLog({ config: config.log, debug, reported: !json && !brief, recent })
  const own = (config.extensions ?? []).filter(isOfParent)
  const uses = await loadWithPreset(own, { dir, resolve: await packageResolver(dir) }, await loadAdmin(recent))
  const args = ['serve', '--config', path, '--no-admin', ...argsOf(options)]
  const members = new Members({
    count,
    start: (name, index) => forkMember(args, { name, portOffset: reusePort ? 0 : index, reusePort }),
    clock: systemClock,
    log,
    dir,
    stateDir: stateFolder(true),
    uses,
    drain: (config.server?.drain as number | undefined) ?? 10_000,
    onStop: () => signals.stop('SIGTERM', 'drained')
  })
  const feed = new Feed({ json, brief, streams: false })
  for (const warning of loaded.warnings) feed.warn(log, warning)
  const alone = config.server?.cluster === undefined
  await untilStopped(members, {
    feed,
    log,
    signals,
    started: () => {
      feed.event('members', {
        members: count,
        ports: reusePort ? 'shared' : 'apart',
        names: alone ? 'apart' : 'shared'
      })
      const names = alone
        ? 'Each is a server of its own: they share no names and ports of proxies. Clients name all of them in client.connect.servers.'
        : 'They share names through server.cluster.'
      feed.logged(`${count} members run. ${names}`)
    },
    watched: options.watch ? path : undefined,
    reload: () => members.runtime.control.reload()
  })
}

/** What is given to each member. */
const argsOf = ({ host, port, transport, resume, json, debug }: ServeOptions): string[] => [
  ...(host === undefined ? [] : ['--host', host]),
  ...(port === undefined ? [] : ['--port', String(port)]),
  ...(transport === undefined ? [] : ['--transport', transport]),
  ...(resume ? ['--resume'] : []),
  ...(json ? ['--json'] : []),
  ...(debug ? ['--debug'] : [])
]
