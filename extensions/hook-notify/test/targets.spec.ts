import { expect } from 'chai'
import { spawnSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from '../src/command.js'
import { makeNotification } from '../src/notification.js'
import { withDefaults, type CommandOptions, type WebhookOptions } from '../src/options.js'
import { signatureOf, Webhook } from '../src/webhook.js'

interface Received {
  readonly path: string | undefined
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

const notification = makeNotification(
  { type: 'client.online', subject: 'client home/nas', data: { client: '$(touch x); nas', n: 3 } },
  'server',
  0
)
const open = new AbortController().signal

describe('a webhook', () => {
  const servers: http.Server[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.close()
      server.closeAllConnections()
    }
  })

  const receiver = async (answer: (response: http.ServerResponse, request: http.IncomingMessage) => void) => {
    const received: Received[] = []
    const server = http.createServer((request, response) => {
      let body = ''
      request.on('data', (chunk) => {
        body += String(chunk)
      })
      request.on('end', () => {
        received.push({ path: request.url, headers: request.headers, body })
        answer(response, request)
      })
    })
    servers.push(server)
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return { url: `127.0.0.1:${(server.address() as AddressInfo).port}`, received }
  }

  const webhook = (url: string, more: Partial<WebhookOptions> = {}): Webhook =>
    new Webhook(withDefaults({ webhook: url, ...more }) as WebhookOptions)

  it('is posted as JSON, signed, with the same id in each attempt', async () => {
    const { url, received } = await receiver((response) => response.end('thanks'))
    const secret = 'a secret of 16 characters'
    const target = webhook(`http://ann:p%40ss@${url}/hook?key=1`, { secret, headers: { 'X-Team': 'ops' } })
    expect(await target.send(notification, 0, open)).to.deep.equal({ ok: true })
    expect(await target.send(notification, 7, open)).to.deep.equal({ ok: true })
    const [first, second] = received
    expect(JSON.parse(first?.body ?? '')).to.deep.equal(notification)
    expect(JSON.parse(second?.body ?? '')).to.include({ id: notification.id, lost: 7 })
    expect(first?.path).to.equal('/hook?key=1')
    const { headers } = first as Received
    expect(headers).to.include({ 'content-type': 'application/json', 'webhook-id': notification.id, 'x-team': 'ops' })
    expect(headers.authorization).to.equal(`Basic ${Buffer.from('ann:p@ss').toString('base64')}`)
    const signed = `${notification.id}.${headers['webhook-timestamp']}.${first?.body}`
    expect(headers['webhook-signature']).to.equal(`v1,${createHmac('sha256', secret).update(signed).digest('base64')}`)
    expect(target.name).to.match(new RegExp(`^http://${url}#[0-9a-f]{8}$`))
    expect(target.name).not.to.equal(webhook(`http://ann:p%40ss@${url}/hook?key=2`).name)
  })

  it('signs as Standard Webhooks does, with a key in base64', () => {
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
    const body = '{"test": 2432232314}'
    expect(signatureOf(secret, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, body)).to.equal(
      'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    )
  })

  it('follows no redirect, to wherever it leads', async () => {
    const inner = await receiver((response) => response.end())
    const outer = await receiver((response) => response.writeHead(307, { location: `http://${inner.url}/` }).end())
    const attempt = await webhook(`http://${outer.url}`).send(notification, 0, open)
    expect(attempt)
      .to.include({ ok: false, retry: false })
      .and.have.property('reason')
      .that.includes('redirected (307)')
    expect(inner.received).to.have.length(0)
  })

  it('is tried again after errors that pass, with the wait that the target wants, and not after others', async () => {
    let status = 500
    const { url } = await receiver((response) => response.writeHead(status, { 'retry-after': '7' }).end())
    for (status of [500, 503, 429, 408])
      expect(await webhook(`http://${url}`).send(notification, 0, open)).to.include({ retry: true, wait: 7000 })
    for (status of [400, 401, 404, 410])
      expect(await webhook(`http://${url}`).send(notification, 0, open)).to.include({ ok: false, retry: false })
  })

  it('does not wait for a target that hangs, before or within its answer, nor for one that is not there', async () => {
    const silent = await receiver(() => {})
    const endless = await receiver((response) => {
      response.writeHead(200)
      const write = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
        if (!response.destroyed) response.once('drain', write)
      }
      write()
    })
    const attempt = await webhook(`http://${silent.url}`, { timeout: 100 }).send(notification, 0, open)
    expect(attempt).to.deep.equal({ ok: false, retry: true, reason: 'no answer in time' })
    expect(await webhook(`http://${endless.url}`).send(notification, 0, open)).to.deep.equal({ ok: true })
    const gone = await receiver(() => {})
    servers.pop()?.close()
    expect(await webhook(`http://${gone.url}`).send(notification, 0, open)).to.include({
      retry: true,
      reason: 'ECONNREFUSED'
    })
    const abort = new AbortController()
    const stopped = webhook(`http://${silent.url}`).send(notification, 0, abort.signal)
    abort.abort()
    expect(await stopped).to.include({ ok: false })
  })
})

describe('a command', () => {
  const dir = mkdtempSync(join(tmpdir(), 'rystra-notify-'))
  after(() => rmSync(dir, { recursive: true }))

  const command = (script: string, ...args: string[]): Command =>
    new Command(withDefaults({ command: [process.execPath, '-e', script, ...args] }) as CommandOptions, dir)

  it('gets the notification on its input and in variables, and its arguments as they are, without a shell', async () => {
    const script = `const fs = require('node:fs'); fs.writeFileSync('out.json', JSON.stringify({ input: fs.readFileSync(0, 'utf8'), args: process.argv.slice(1), event: process.env.RYSTRA_EVENT, client: process.env.RYSTRA_CLIENT, n: process.env.RYSTRA_N }))`
    expect(await command(script, '$HOME; `id` "x"').send(notification, 0, open)).to.deep.equal({ ok: true })
    const seen = JSON.parse(readFileSync(join(dir, 'out.json'), 'utf8'))
    expect(JSON.parse(seen.input)).to.deep.equal(notification)
    expect(seen).to.deep.include({
      args: ['$HOME; `id` "x"'],
      event: 'client.online',
      client: '$(touch x); nas',
      n: '3'
    })
  })

  it('is tried again when it fails, cannot be started, or is killed for its time', async () => {
    expect(await command(`console.error('no room'); process.exit(3)`).send(notification, 0, open)).to.deep.equal({
      ok: false,
      retry: true,
      reason: 'exit 3: no room'
    })
    const absent = new Command(withDefaults({ command: [join(dir, 'absent')] }) as CommandOptions, dir)
    expect(await absent.send(notification, 0, open))
      .to.include({ retry: true })
      .and.have.property('reason')
      .that.includes('ENOENT')
    const slow = new Command(
      withDefaults({ command: [process.execPath, '-e', 'setInterval(() => {}, 1e6)'], timeout: 300 }) as CommandOptions,
      dir
    )
    expect(await slow.send(notification, 0, open)).to.deep.equal({
      ok: false,
      retry: true,
      reason: 'killed: not done in time'
    })
  })

  it('that cannot be given its arguments is a failure like others', async () => {
    expect(await command('', 'a\0b').send(notification, 0, open))
      .to.include({ ok: false, retry: true })
      .and.have.property('reason')
      .that.includes('null bytes')
  })

  it('fails, and the process goes on, when no descriptor is left', () => {
    const script = `
      import { closeSync, openSync } from 'node:fs'
      const { Command } = await import(${JSON.stringify(new URL('../src/command.ts', import.meta.url).href)})
      const target = new Command({ command: ['true'], timeout: 10_000 }, '/')
      const files = []
      try { for (;;) files.push(openSync('/dev/null')) } catch {}
      const sent = target.send(${JSON.stringify(notification)}, 0, new AbortController().signal)
      for (const file of files) closeSync(file)
      console.log(JSON.stringify([await sent, await target.send(${JSON.stringify(notification)}, 0, new AbortController().signal)]))`
    const args = ['--conditions=rystra-source', '--import=tsx', '--input-type=module', '-e', script]
    const limited = ['-c', 'ulimit -n 128; exec "$0" "$@"', process.execPath, ...args]
    const { stdout, stderr } = spawnSync('sh', limited, { encoding: 'utf8', timeout: 20_000 })
    expect(stderr).to.equal('')
    const [first, second] = JSON.parse(stdout)
    expect(first).to.deep.equal({ ok: false, retry: true, reason: 'spawn true EMFILE' })
    expect(second).to.deep.equal({ ok: true })
  })

  it('may leave its input unread', async () => {
    const long = makeNotification(
      { type: 'client.online', subject: 's', data: { list: Array(200_000).fill('x') } },
      'server',
      0
    )
    expect(await command('process.exit(0)').send(long, 0, open)).to.deep.equal({ ok: true })
  })
})
