import { expect } from 'chai'
import { isRystraError } from '@rystra/model'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { install, type InstallOptions } from '../src/service/install.js'
import { placeOf, removeUnit, writeUnit } from '../src/service/manage.js'
import { ServiceNotifier } from '../src/service/notify.js'
import { renderUnit, type UnitPlan } from '../src/service/unit.js'
import { Folders } from './folder.js'

const folders = new Folders()

const plan: UnitPlan = {
  name: 'rystra',
  role: 'serve',
  node: '/usr/bin/node',
  command: '/opt/rystra/bin/run.js',
  config: '/etc/rystra/rystra.config.yaml',
  dir: '/etc/rystra',
  lowPorts: false,
  own: false
}

/** Settings of a unit; of one that comes several times the last. */
const settings = (unit: string): Record<string, string> =>
  Object.fromEntries(
    unit
      .split('\n')
      .filter((line) => /^\w+=/.test(line))
      .map((line) => line.split(/=(.*)/s).slice(0, 2))
  )

const codeOf = async (act: Promise<unknown>): Promise<string> => {
  try {
    await act
  } catch (error) {
    if (isRystraError(error)) return `${error.code} ${error.detail}`
    throw error
  }
  return 'done'
}

const server = 'server:\n  listen: [{ transport: tcp, host: 0.0.0.0, port: 7000 }]\n'

const options = (dir: string, more: Partial<InstallOptions> = {}): InstallOptions => ({
  name: 'rystra',
  cwd: dir,
  config: undefined,
  role: undefined,
  user: undefined,
  own: false,
  start: true,
  dryRun: false,
  root: join(dir, 'root'),
  ...more
})

describe('service', () => {
  afterEach(() => folders.clean())

  it('the unit tells readiness, has a watchdog, reloads, and is confined', () => {
    const unit = settings(renderUnit(plan))
    expect(unit).to.include({
      Type: 'notify',
      NotifyAccess: 'all',
      ExecStart: '/usr/bin/node /opt/rystra/bin/run.js serve --config /etc/rystra/rystra.config.yaml',
      ExecReload: '/bin/kill -HUP $MAINPID',
      WatchdogSec: '60',
      DynamicUser: 'yes',
      ProtectSystem: 'strict',
      NoNewPrivileges: 'yes',
      CapabilityBoundingSet: '',
      RestartPreventExitStatus: '2 3',
      WantedBy: 'multi-user.target'
    })
    expect(renderUnit(plan)).to.include('Environment=RYSTRA_STATE=%S/rystra\n')
  })

  it('low ports need one capability, a named user no other, and the systemd of a user no rights at all', () => {
    expect(settings(renderUnit({ ...plan, lowPorts: true }))).to.include({
      AmbientCapabilities: 'CAP_NET_BIND_SERVICE',
      CapabilityBoundingSet: 'CAP_NET_BIND_SERVICE'
    })
    const named = settings(renderUnit({ ...plan, user: 'tunnel' }))
    expect(named).to.include({ User: 'tunnel' }).and.not.to.have.property('DynamicUser')
    const own = settings(renderUnit({ ...plan, own: true }))
    expect(own).to.include({ WantedBy: 'default.target' })
    for (const setting of ['DynamicUser', 'User', 'AmbientCapabilities', 'ProtectSystem'])
      expect(own, setting).not.to.have.property(setting)
  })

  it('paths keep their meaning: spaces, quotes, percent and dollar signs', () => {
    const { ExecStart = '', WorkingDirectory } = settings(
      renderUnit({ ...plan, config: '/etc/my "100%" $HOME/c.yaml', dir: '/etc/my "100%"' })
    )
    expect(ExecStart).to.include('--config "/etc/my \\"100%%\\" $$HOME/c.yaml"')
    expect(WorkingDirectory).to.equal('/etc/my "100%%"')
    expect(() => renderUnit({ ...plan, config: '/etc/a\nExecStart=/bin/sh' })).to.throw(/line break/)
  })

  it('install writes what the configuration needs, once, and leaves units of others alone', async () => {
    const dir = folders.make({ 'rystra.config.yaml': server.replace('7000', '443') })
    const first = await install(options(dir))
    expect(first.file).to.equal(join(dir, 'root/etc/systemd/system/rystra.service'))
    expect(first.changed).to.equal(true)
    const text = readFileSync(first.file, 'utf8')
    expect(settings(text)).to.include({ AmbientCapabilities: 'CAP_NET_BIND_SERVICE', WorkingDirectory: dir })
    expect(text).to.include(` serve --config ${join(dir, 'rystra.config.yaml')}\n`)
    expect((await install(options(dir))).changed).to.equal(false)
    expect(existsSync(`${first.file}.new`)).to.equal(false)
    writeFileSync(first.file, '[Service]\nExecStart=/bin/true\n')
    expect(await codeOf(install(options(dir)))).to.match(/^usage\.invalid .*was not written by rystra/)
    expect(await codeOf(removeUnit({ file: first.file, flags: [] }))).to.match(/^usage\.invalid/)
    expect(existsSync(first.file)).to.equal(true)
  })

  it('install wants a role where there are two, or none of that name, and changes nothing with --dry-run', async () => {
    const dir = folders.make({ 'rystra.config.yaml': `${server}client:\n  connect: { host: a.example }\n` })
    expect(await codeOf(install(options(dir)))).to.match(/^usage\.invalid .*a server and a client/)
    const { unit, file } = await install(options(dir, { role: 'connect', dryRun: true }))
    expect(unit).to.include(' connect --config ')
    expect(existsSync(file)).to.equal(false)
    const alone = folders.make({ 'rystra.config.yaml': server })
    expect(await codeOf(install(options(alone, { role: 'connect' })))).to.match(/^usage\.invalid .*no client/)
  })

  it('uninstall removes what install wrote', async () => {
    const place = placeOf('rystra', false, folders.make())
    expect(await removeUnit(place)).to.equal(false)
    expect(await writeUnit(place, '[Service]\n')).to.equal(true)
    expect(await removeUnit(place)).to.equal(true)
    expect(existsSync(place.file)).to.equal(false)
  })
})

describe('what systemd is told', () => {
  const env = { NOTIFY_SOCKET: '/run/systemd/notify', WATCHDOG_USEC: '4000', WATCHDOG_PID: '7' }

  it('comes in order: ready, reloading, ready, stopping', async () => {
    const sent: string[] = []
    const notifier = new ServiceNotifier({ NOTIFY_SOCKET: 'x' }, async (assignments) => {
      await new Promise((resolve) => setImmediate(resolve))
      sent.push(assignments.join(' '))
    })
    notifier.ready('running')
    notifier.reloading()
    notifier.reloaded('running; the last reload failed: config.invalid')
    await notifier.stopping()
    expect(sent[0]).to.equal('READY=1 STATUS=running')
    expect(sent[1]).to.match(/^RELOADING=1 MONOTONIC_USEC=\d+$/)
    expect(sent.slice(2)).to.deep.equal([
      'READY=1 STATUS=running; the last reload failed: config.invalid',
      'STOPPING=1'
    ])
  })

  it('names the process that has taken over, and says nothing more', async () => {
    const sent: string[] = []
    const notifier = new ServiceNotifier(env, async (assignments) => void sent.push(assignments.join(' ')))
    notifier.ready('running')
    notifier.replaced(4711)
    notifier.reloaded('running')
    await notifier.stopping()
    expect(sent).to.deep.equal(['READY=1 STATUS=running', 'MAINPID=4711 READY=1'])
  })

  it('sends on after a message that could not be sent', async () => {
    const sent: string[] = []
    const notifier = new ServiceNotifier(env, async ([first = '']) => {
      if (first === 'READY=1') throw new Error('no socket')
      sent.push(first)
    })
    notifier.ready('running')
    await notifier.stopping()
    expect(sent).to.deep.equal(['STOPPING=1'])
  })

  it('feeds the watchdog of this process from when it is ready until it stops', async () => {
    let fed = 0
    let more = (): void => {}
    const twice = new Promise<void>((resolve) => {
      more = resolve
    })
    const notifier = new ServiceNotifier(
      env,
      async ([first]) => {
        if (first === 'WATCHDOG=1' && ++fed === 2) more()
      },
      7
    )
    notifier.ready('running')
    // The watchdog's own timer keeps no process up.
    const alive = setInterval(() => {}, 1000)
    await twice
    clearInterval(alive)
    await notifier.stopping()
  })

  it('is nothing outside of systemd, and no watchdog of another process', async () => {
    const sent: string[] = []
    const outside = new ServiceNotifier({}, async ([first = '']) => void sent.push(first))
    outside.ready('running')
    await outside.stopping()
    expect(sent).to.deep.equal([])
    const other = new ServiceNotifier(env, async ([first = '']) => void sent.push(first), 8)
    let fed = (): void => {}
    const once = new Promise<void>((resolve) => {
      fed = resolve
    })
    const own = new ServiceNotifier(env, async ([first]) => (first === 'WATCHDOG=1' ? fed() : undefined), 7)
    const alive = setInterval(() => {}, 1000)
    other.ready('running')
    own.ready('running')
    await once
    clearInterval(alive)
    await Promise.all([own.stopping(), other.stopping()])
    expect(sent).to.deep.equal(['READY=1', 'STOPPING=1'])
  })
})
