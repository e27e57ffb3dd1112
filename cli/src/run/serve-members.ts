import type { LoadedConfig } from '@rystra/config'
import { loadWithPreset, systemClock } from '@rystra/kernel'
import { RystraError } from '@rystra/model'
import { canReusePort } from '@rystra/net'
import { formatAddress } from '../address.js'
import { createLog, reportedOnTerminal } from '../log.js'
import { forkMember } from '../members/fork-member.js'
import { checkMembers, isOfParent } from '../members/member-config.js'
import { checkCount, Members } from '../members/members.js'
import { loadAdmin } from '../preset.js'
import { packageResolver } from '../project/resolver.js'
import { RecentLines } from '../recent-lines.js'
import { dialable } from './dialable.js'
import { Feed } from './feed.js'
import type { Web } from './quick-kinds.js'
import { type Prepared, reportJoin } from './report-join.js'
import type { ServeOptions } from './serve-options.js'
import { stateFolder } from './state.js'
import { StopSignals } from './stop-signals.js'
import { untilStopped } from './until-stopped.js'

/** Rejects with `usage.invalid` for what several processes cannot do here. */
export const checkMembersOptions = async (options: ServeOptions): Promise<void> => {
  const { members: count = 0, once, 'reuse-port': reusePort = false } = options
  checkCount(count)
  if (once) {
    throw new RystraError('usage.invalid', {
      detail: '--once is for a single process: each member would take a client of its own',
      hint: 'leave out --members, or --once'
    })
  }
  if (reusePort && !(await canReusePort())) {
    throw new RystraError('usage.invalid', {
      detail: `--reuse-port: several processes cannot listen on one port here (Node ${process.versions.node}, ${process.platform})`,
      hint: 'it needs Node 22.12 or 23.1 on Linux; without it members listen on consecutive ports'
    })
  }
}

/**
 * Runs several processes of one server until it is told to stop. Rejects with what it could not start with.
 *
 * @param loaded Absent without a configuration: then members are given what was prepared by flags and their environment
 */
export const serveMembers = async (
  options: ServeOptions,
  loaded: LoadedConfig | undefined,
  { config, dir, quick, web }: Prepared
): Promise<void> => {
  const { members: count = 0, json, debug, 'reuse-port': reusePort = false } = options
  checkMembers(config, count, reusePort)
  const signals = new StopSignals()
  const brief = loaded !== undefined && !reportedOnTerminal(config.log)
  const level = loaded === undefined ? 'warn' : undefined
  const recent = options.admin ? new RecentLines() : undefined
  const log = await createLog({ config: config.log, level, debug, reported: !json && !brief, recent })
  const own = (config.extensions ?? []).filter(isOfParent)
  const uses = await loadWithPreset(own, { dir, resolve: await packageResolver(dir) }, await loadAdmin(recent))
  const args = ['serve', ...(loaded === undefined ? quickArgs(options, web) : ['--config', loaded.path])]
  // Not as a flag, which other users of the machine could read.
  const variables = quick === undefined ? {} : { RYSTRA_TOKEN: quick.token }
  const members = new Members({
    count,
    start: (name, index, handed) =>
      forkMember(
        [...args, '--no-admin', ...argsOf(options)],
        { name, portOffset: reusePort ? 0 : index, reusePort },
        variables,
        handed
      ),
    clock: systemClock,
    log,
    dir,
    stateDir: stateFolder(loaded !== undefined),
    uses,
    drain: (config.server?.drain as number | undefined) ?? 10_000,
    onStop: () => signals.stop('SIGTERM', 'drained')
  })
  const feed = new Feed({ json, brief, streams: false })
  for (const warning of [...(loaded?.warnings ?? []), ...(quick?.warnings ?? [])]) feed.warn(log, warning)
  const alone = config.server?.cluster === undefined
  await untilStopped(members, {
    feed,
    log,
    signals,
    started: () => {
      const listening = members.serving.flatMap((one) => one.listening)
      const servers = [...new Set(listening.map((one) => formatAddress({ ...one, host: dialable(one.host) })))]
      feed.event('members', {
        members: count,
        ports: reusePort ? 'shared' : 'apart',
        names: alone ? 'apart' : 'shared',
        servers
      })
      const names = alone
        ? `Each is a server of its own: they share no names and ports of proxies. Clients name all of them, client.connect.servers: [${servers.join(', ')}].`
        : 'They share names through server.cluster.'
      feed.logged(`${count} members run. ${names}`)
      if (quick === undefined) return
      const first = reusePort ? listening.slice(0, 1) : listening
      reportJoin(
        feed,
        first,
        quick,
        members.serving.flatMap((one) => one.web ?? [])
      )
    },
    watched: options.watch ? loaded?.path : undefined,
    reload: loaded === undefined ? undefined : () => members.runtime.control.reload()
  })
}

/** What a member without a configuration is given, so that all have the same. */
const quickArgs = ({ 'http-port': httpPort, domain }: ServeOptions, web: Web | undefined): string[] => [
  ...(web === undefined ? [] : ['--http-port', String(httpPort === 0 ? 0 : web.port)]),
  ...(domain === undefined ? [] : ['--domain', domain])
]

/** What is given to each member. */
const argsOf = ({ host, port, transport, resume, json, debug }: ServeOptions): string[] => [
  ...(host === undefined ? [] : ['--host', host]),
  ...(port === undefined ? [] : ['--port', String(port)]),
  ...(transport === undefined ? [] : ['--transport', transport]),
  ...(resume ? ['--resume'] : []),
  ...(json ? ['--json'] : []),
  ...(debug ? ['--debug'] : [])
]
