import { type LoadedConfig, loadConfig, type RystraConfig } from '@rystra/config'
import { isRystraError, RystraError } from '@rystra/model'
import type { Server } from '@rystra/server'
import { defaultPort, formatAddress } from '../address.js'
import { createServer } from '../index.js'
import { freshToken } from '../init/token.js'
import { createLog, reportedOnTerminal } from '../log.js'
import { memberConfig } from '../members/member-config.js'
import { type MemberEnvironment, memberEnvironment } from '../members/member-environment.js'
import { linkMember } from '../members/member-link.js'
import type { Ready } from '../members/messages.js'
import { parentSuccessor } from '../members/parent-successor.js'
import { failMember, processPort } from '../members/process-port.js'
import { RecentLines } from '../recent-lines.js'
import { loadAdmin, quickTransport, tokenPackage } from '../preset.js'
import { listenFds } from '../service/listen-fds.js'
import { packagesFor } from './convention.js'
import { feedServer } from './events.js'
import { Feed } from './feed.js'
import { keptToken } from './kept-token.js'
import { keepLastGood, startable } from './last-good.js'
import type { ServeOptions } from './serve-options.js'
import { quickKinds, type Web } from './quick-kinds.js'
import { type Prepared, reportJoin } from './report-join.js'
import { type Predecessor, predecessor } from './predecessor.js'
import { StopSignals } from './stop-signals.js'
import { successorOf } from './successor.js'
import { stateFolder } from './state.js'
import { givenToken, tokenEntry } from './token.js'
import { untilStopped } from './until-stopped.js'

/** Ports that clients may ask for, without a configuration: whatever needs no rights. */
const anyPort = '1024-65535'

/** The configuration in the folder, if there is one. */
const find = async ({ cwd, config: file }: ServeOptions): Promise<LoadedConfig | undefined> => {
  try {
    return await loadConfig({ cwd, ...(file === undefined ? {} : { file }) })
  } catch (error) {
    if (file === undefined && isRystraError(error) && error.code === 'config.not-found') return undefined
    throw error
  }
}

const quick = async (
  {
    cwd,
    transport = quickTransport,
    host = '0.0.0.0',
    port = defaultPort,
    token: flag,
    once,
    'public-host': publicHost,
    'http-port': httpPort,
    domain
  }: ServeOptions,
  member?: MemberEnvironment
): Promise<Prepared> => {
  const given = givenToken(flag)
  const made = given === undefined && !once ? await keptToken(stateFolder(false) as string) : undefined
  const token = given ?? made?.token ?? freshToken()
  const warnings = made?.kept === false ? ['the token cannot be kept: after a restart clients need the new one'] : []
  const { extensions, web } = await quickKinds({ cwd, host, httpPort, domain, portOffset: member?.portOffset })
  const config: RystraConfig = {
    extensions: [
      once ? { use: tokenPackage, options: { tokens: [{ identity: 'default', token, once }] } } : tokenEntry(token),
      ...(await packagesFor(cwd, `transport:${transport}`)),
      ...extensions
    ],
    server: { listen: [{ transport, host, port }], publish: { host, ports: [anyPort] } }
  }
  return { config, dir: cwd, quick: { token, once, publicHost, warnings }, ...(web === undefined ? {} : { web }) }
}

/** The flags change the one address that the configuration names. */
const configured = (loaded: LoadedConfig, options: ServeOptions): Prepared => {
  const { transport, host, port, token } = options
  const { config, dir, path } = loaded
  const { server } = config
  if (server === undefined) {
    throw new RystraError('config.invalid', {
      side: 'server',
      detail: `${path} has no \`server\``,
      hint: 'add it, or run `rystra connect` for the client; without a configuration, run `rystra serve` in another folder'
    })
  }
  if (token !== undefined) {
    throw new RystraError('usage.invalid', {
      detail: `--token is for a server without a configuration, and there is ${path}`,
      hint: 'put the token into the configuration, or run it in another folder'
    })
  }
  const quickOnly = (['http-port', 'domain', 'public-host', 'once'] as const).find((flag) => Boolean(options[flag]))
  if (quickOnly !== undefined) {
    throw new RystraError('usage.invalid', {
      detail: `--${quickOnly} is for a server without a configuration, and there is ${path}`,
      hint: 'the configuration has it: `listen` and `baseDomain` of @rystra/proxy-http, `once` of a token of @rystra/auth-token'
    })
  }
  if (transport === undefined && host === undefined && port === undefined) return { config, dir }
  const [entry, ...others] = server.listen.filter((one) => transport === undefined || one.transport === transport)
  if (entry === undefined || others.length > 0) {
    const names = server.listen.map((one) => `${one.transport}://${one.address ?? formatAddress(one)}`).join(', ')
    throw new RystraError('usage.invalid', {
      detail: `--host, --port and --transport have to mean one entry of server.listen; there are ${names}`,
      hint: 'change the configuration, or name one of them with --transport'
    })
  }
  const listen = server.listen.map((one) =>
    one === entry ? { ...one, ...(host === undefined ? {} : { host }), ...(port === undefined ? {} : { port }) } : one
  )
  return { config: { ...config, server: { ...server, listen } } as RystraConfig, dir }
}

const reportStarted = (feed: Feed, server: Server, { quick, web }: Prepared): void => {
  for (const one of server.listening) {
    const fields = Object.entries(one.join ?? {}).map(([field, value]) => `${field}=${value}`)
    const needed =
      quick === undefined && fields.length > 0 ? ` Clients need ${fields.join(', ')} in client.connect.` : ''
    feed.event('listening', one, `Listening on ${one.transport} ${formatAddress(one)}.${needed}`)
  }
  if (quick !== undefined) reportJoin(feed, server.listening, quick, web === undefined ? [] : [web])
}

/** Runs a server until it is told to stop. Rejects with what it could not start with. */
export const serve = async (options: ServeOptions): Promise<void> => {
  const member = memberEnvironment()
  if (member !== undefined) {
    await serveOne(options, member, predecessor()).catch(failMember)
    return
  }
  const before = predecessor()
  if (before !== undefined) return serveOne(options, undefined, before).catch(before.fail)
  if (options.members === undefined) return serveOne(options, undefined)
  const { checkMembersOptions, serveMembers } = await import('./serve-members.js')
  await checkMembersOptions(options)
  const loaded = await startable(options, () => find(options), 'server')
  await serveMembers(options, loaded, loaded === undefined ? await quick(options) : configured(loaded, options))
}

/** What the parent is told of a member that serves. */
const readyOf = ({ listening }: Server, web: Web | undefined, { portOffset }: MemberEnvironment): Ready => ({
  listening,
  ...(web === undefined ? {} : { web: { ...web, port: web.port + portOffset } })
})

const serveOne = async (
  options: ServeOptions,
  member: MemberEnvironment | undefined,
  before?: Predecessor
): Promise<void> => {
  const { json, debug } = options
  const signals = new StopSignals({ member: member !== undefined })
  const loaded = await startable(options, () => find(options), 'server')
  const prepared = loaded === undefined ? await quick(options, member) : configured(loaded, options)
  const { dir, web } = prepared
  const config = member === undefined ? prepared.config : memberConfig(prepared.config, member.name)
  const brief = loaded !== undefined && !reportedOnTerminal(config.log)
  const level = loaded === undefined ? 'warn' : undefined
  const recent = options.admin ? new RecentLines() : undefined
  const log = await createLog({ config: config.log, level, debug, reported: !json && !brief, recent })
  const stateDir = stateFolder(loaded !== undefined)
  const preset = await loadAdmin(recent)
  const source =
    loaded === undefined
      ? undefined
      : {
          read: async () => {
            const { config: next } = configured(await loadConfig({ file: loaded.path }), options)
            return member === undefined ? next : memberConfig(next, member.name)
          }
        }
  const sockets = before?.sockets ?? listenFds()
  if (sockets.length > 0) log.info({ sockets }, 'listening sockets were passed to this process')
  const server = await createServer(config, {
    dir,
    sockets,
    ...(before === undefined ? {} : { begin: before.begin, published: before.published }),
    successor:
      member === undefined
        ? successorOf(sockets.filter(({ passed }) => passed !== true))
        : parentSuccessor(processPort),
    log: member === undefined ? log : log.child({ member: member.name }),
    preset,
    logLevel: log,
    ...(member === undefined
      ? {}
      : { member: member.name, portOffset: member.portOffset, reusePort: member.reusePort }),
    onStop: () => signals.stop('SIGTERM', 'drained'),
    ...(source === undefined ? {} : { source }),
    ...(stateDir === undefined ? {} : { stateDir })
  })
  // One member keeps it for all.
  if (source !== undefined && (member === undefined || member.name === '1'))
    keepLastGood(server.runtime, { dir, config, stateDir, log, read: source.read })
  const feed = new Feed({ json, brief, streams: loaded === undefined, member: member?.name })
  for (const warning of [...(loaded?.warnings ?? []), ...(prepared.quick?.warnings ?? [])]) feed.warn(log, warning)
  feedServer(feed, server)
  if (member !== undefined)
    linkMember(processPort, {
      runtime: server.runtime,
      metrics: server.kernel.metrics,
      stop: async (drain) => {
        signals.stop('SIGTERM', 'by its parent')
        if (drain !== undefined) await server.stop({ drain })
      }
    })
  await untilStopped(server, {
    feed,
    log,
    signals,
    started: () => {
      // What clients need is for the parent to say, once for all members.
      reportStarted(feed, server, member === undefined ? prepared : { ...prepared, quick: undefined })
      const ready = member === undefined ? undefined : { ready: readyOf(server, web, member) }
      if (before !== undefined) before.ready(ready)
      else if (ready !== undefined) processPort.send(ready)
    },
    // The parent tells them once for all.
    tellsReloads: member === undefined,
    watched: options.watch && member === undefined ? loaded?.path : undefined,
    reload: source === undefined ? undefined : () => server.reload()
  })
}
