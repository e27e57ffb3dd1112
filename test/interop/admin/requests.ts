import adminHttp from '@rystra/admin-http'
import inspectHttp from '@rystra/inspect-http'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { promisify } from 'node:util'
import { freePort, loopback } from '../../bench/address.js'
import type { Scratch } from '../../bench/scratch.js'
import { frontPort, startHttpClient, startHttpServer, startHttpService } from '../../e2e/http-world.js'
import { cleanUp } from '../../e2e/tunnel.js'
import type { Chromium, Tab } from '../visitors/chromium.js'
import {
  check,
  checkAccessible,
  checkConsole,
  checkWidth,
  key,
  logIn,
  must,
  picture,
  show,
  size,
  slowestFrame,
  theme,
  within
} from './page.js'

const EXCHANGES = 10_000
const HOST = 'app.example.org'
const token = 'interop-admin-token-0123456789'

const rowCount = `document.querySelector('.grid')?.getAttribute('aria-rowcount')`
const dialog = `[...document.querySelectorAll('dialog[open]')].at(-1)`
const button = (title: string): string =>
  `[...${dialog}.querySelectorAll('button')].find((one) => one.textContent === '${title}')`
const label = (begin: string): string =>
  `[...${dialog}.querySelectorAll('label')].find((one) => one.textContent.startsWith('${begin}')).querySelector('input, textarea')`

/** Many requests through the tunnel, some of them with bodies and secrets. */
const visitMany = async (port: number): Promise<void> => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 16 })
  const send = async (index: number): Promise<void> => {
    const path = `/orders/${index}?page=${index % 7}&token=secret-${index}`
    const headers = { host: `${HOST}:${port}`, authorization: 'Bearer top-secret', 'content-type': 'application/json' }
    const request = http.request({ host: loopback, port, agent, method: 'POST', path, headers })
    request.end(JSON.stringify({ order: index, note: `needle-${index}-` }))
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    response.resume()
    await once(response, 'end')
  }
  let next = 0
  const lane = async (): Promise<void> => {
    for (let index = next++; index < EXCHANGES; index = next++) await send(index)
  }
  await Promise.all(Array.from({ length: 16 }, lane))
  agent.destroy()
}

/** What the service got last; its responses have no heads, which would hold secrets. */
let got: { method?: string; target?: string; headers: http.IncomingHttpHeaders; body: string } = {
  headers: {},
  body: ''
}

const service: http.RequestListener = (request, response) => {
  let body = ''
  request.setEncoding('utf8').on('data', (chunk: string) => {
    body += chunk
  })
  request.on('end', () => {
    const { method = '', url: target = '', headers } = request
    got = { method, target, headers, body }
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ method, target, body }))
  })
}

const search = async (tab: Tab, order: number): Promise<void> => {
  await tab.evaluate(`(() => { const s = document.querySelector('input[type=search]')
    s.value = 'needle-${order}-'; s.dispatchEvent(new Event('input')) })()`)
  const rows = `document.querySelector('.grid .body').innerText`
  await within(tab, `${rowCount} < 10 && ${rows}.includes('/orders/${order}?')`, `the order ${order}`)
}

const openRow = async (tab: Tab): Promise<void> => {
  await tab.evaluate(`document.querySelector('.grid .body .row[tabindex="0"]').focus()`)
  await key(tab, 'Enter', 13)
  await within(tab, `${dialog} !== undefined`, 'details')
}

const closeDialog = async (tab: Tab): Promise<void> => {
  await key(tab, 'Escape', 27)
  await within(tab, `document.querySelectorAll('dialog[open]').length === 0`, 'no dialog')
}

const replayed = (tab: Tab, before: string): Promise<void> =>
  within(
    tab,
    `${dialog}?.innerText.includes('Replay of ') && ${dialog}.innerText !== ${JSON.stringify(before)}`,
    'replay'
  )

const runChecks = async (tab: Tab, browser: Chromium, scratch: Scratch): Promise<void> => {
  await check('10,000 requests', async () => {
    await show(tab, 'requests')
    await within(tab, `${rowCount} === '${EXCHANGES + 1}'`, 'all rows')
    const slowest = await slowestFrame(tab)
    return `slowest frame while scrolling ${Math.round(slowest)} ms`
  })
  for (const mode of ['light', 'dark'] as const) {
    await check(`requests, ${mode}`, async () => {
      await theme(tab, mode)
      await search(tab, 4242)
      await openRow(tab)
      await picture(tab, `request-${mode}`)
      await checkAccessible(tab)
      const text = await tab.evaluate<string>(`${dialog}.innerText`)
      must(text.includes('"note":"needle-4242-"'), `the body: ${text}`)
      must(text.includes('[masked]') && !text.includes('top-secret'), 'secrets are masked')
      const steps = await tab.evaluate<string>(`${dialog}.querySelector('.timeline').innerText`)
      must((steps.match(/\d+ ms/g) ?? []).length === 3, `the time line: ${steps}`)
      await closeDialog(tab)
      await picture(tab, `requests-${mode}`)
      await checkAccessible(tab)
      return 'opened by keyboard; every control has a name, contrast is 4.5 or more'
    })
  }
  await check('secrets are shown when asked for', async () => {
    await openRow(tab)
    await tab.evaluate(`${button('Show secrets')}.click()`)
    await within(tab, `${dialog}?.innerText.includes('Bearer top-secret')`, 'the secret')
    await closeDialog(tab)
    return 'to the scope admin'
  })
  await check('copies a command for curl', async () => {
    await browser.send('Browser.grantPermissions', { permissions: ['clipboardReadWrite', 'clipboardSanitizedWrite'] })
    await openRow(tab)
    await tab.evaluate(`${button('Copy as curl')}.click()`)
    await within(tab, `document.getElementById('toasts').innerText.includes('in the clipboard')`, 'the outcome')
    const command = await tab.evaluate<string>('navigator.clipboard.readText()')
    must(command.startsWith('curl ') && !command.includes('top-secret'), command)
    await closeDialog(tab)
    const port = /app\.example\.org:(\d+)/.exec(command)?.[1]
    const named = `${command.trim()} --silent --resolve ${HOST}:${port}:${loopback}`
    const { stdout } = await promisify(execFile)('sh', ['-c', named])
    const { method, body } = JSON.parse(stdout)
    must(method === 'POST' && body.includes('needle-4242-'), stdout)
    return 'a shell runs it, and the service gets the same body'
  })
  await check('sends it again as it was, and edited', async () => {
    await search(tab, 4243)
    await openRow(tab)
    const before = await tab.evaluate<string>(`${dialog}.innerText`)
    await tab.evaluate(`${dialog}.querySelector('summary').click()`)
    await picture(tab, 'replay')
    await checkAccessible(tab)
    await tab.evaluate(`${button('Send as it was')}.click()`)
    await replayed(tab, before)
    const same = await tab.evaluate<string>(`${dialog}.innerText`)
    must(got.body.includes('needle-4243-') && got.headers['x-rystra-replay'] !== undefined, JSON.stringify(got))
    await tab.evaluate(`(() => {
      ${label('Method')}.value = 'PUT'; ${label('Path')}.value = '/edited'; ${label('Body')}.value = 'new body'
      const fields = ${label('Header')}; fields.value += '\\nX-Edited: yes';
      ${button('Send edited')}.click()
    })()`)
    await replayed(tab, same)
    await within(tab, `${dialog}?.innerText.includes('/edited')`, 'the edited request')
    must(got.method === 'PUT' && got.target === '/edited' && got.body === 'new body', JSON.stringify(got))
    must(got.headers['x-edited'] === 'yes', 'the new field')
    must(got.headers.authorization === 'Bearer top-secret', 'a masked field is what it was')
    await closeDialog(tab)
    return 'method, path, fields and body; a masked field keeps its value'
  })
  await check('exports a HAR of what is searched for', async () => {
    await search(tab, 777)
    const folder = path.join(scratch.dir, 'har')
    await browser.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: folder, eventsEnabled: true })
    const over = new Promise<void>((resolve) =>
      browser.on('Browser.downloadProgress', ({ state }) => state === 'completed' && resolve())
    )
    await tab.evaluate(
      `[...document.querySelectorAll('.tools button')].find((b) => b.textContent === 'Export HAR').click()`
    )
    await over
    const { log } = JSON.parse(readFileSync(path.join(folder, 'requests.har'), 'utf8'))
    must(log.entries.length === 1 && log.entries[0].request.postData.text.includes('needle-777-'), 'one entry')
    return `HAR ${log.version} with ${log.entries.length} entry`
  })
  for (const [width, height] of [
    [360, 720],
    [3840, 2160]
  ] as const) {
    await check(`requests, ${width} px wide`, async () => {
      await size(tab, width, height)
      await show(tab, 'requests')
      await within(tab, `${rowCount} !== '1' && ${rowCount} !== undefined`, 'rows')
      await picture(tab, `requests-${width}`)
      await checkWidth(tab, 'requests', width)
      await openRow(tab)
      await picture(tab, `request-${width}`)
      const box = await tab.evaluate<number>(`${dialog}.scrollWidth - ${dialog}.clientWidth`)
      must(box === 0, `the dialog scrolls ${box} px sideways`)
      await closeDialog(tab)
      return 'not wider'
    })
  }
  await check('forgets them', async () => {
    await tab.evaluate(`document.querySelector('input[type=search]').value = ''`)
    await tab.evaluate(
      `[...document.querySelectorAll('.tools button')].find((b) => b.textContent === 'Forget all').click()`
    )
    await within(tab, `${dialog} !== undefined`, 'the question')
    await tab.evaluate(`${button('Forget')}.click()`)
    await within(tab, `document.querySelector('.grid .empty').innerText.includes('No request was seen')`, 'none')
    return 'none is left'
  })
  await check('no error in the console', async () => {
    checkConsole(tab)
    return 'none'
  })
}

/** The view of requests, with those of a real tunnel. */
export const checkRequests = async (browser: Chromium, scratch: Scratch): Promise<void> => {
  const port = await freePort()
  const admin = adminHttp({ listen: [{ host: loopback, port }], tokens: [{ name: 'chief', token, scope: 'admin' }] })
  try {
    const { port: local } = await startHttpService(service)
    const server = await startHttpServer({}, [inspectHttp({ exchanges: EXCHANGES }), admin])
    const client = await startHttpClient(server, [{ name: 'app', kind: 'http', local, host: HOST }])
    await visitMany(frontPort(client, 'app'))
    const tab = await browser.tab()
    await size(tab, 1280, 800)
    await tab.open(`http://${loopback}:${port}/`)
    await within(tab, `document.querySelector('input[type=password]') !== null`, 'the form')
    await logIn(tab, token)
    await within(tab, `document.querySelectorAll('#tabs a').length > 0`, 'the views')
    await runChecks(tab, browser, scratch)
  } finally {
    await cleanUp()
  }
}
