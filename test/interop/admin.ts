/**
 * The dashboard of admin-http in a real chromium: every view, light and dark, 360 px wide, by keyboard, with 10,000 streams.
 * Not part of `npm test`: it needs the Debian package `chromium`, and says aloud when that is not there.
 *
 *     npm run interop:admin                 # needs a build
 *     RYSTRA_SCREENSHOTS=folder …           # keeps pictures of each view
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { FakeRuntime, session, tokens, World } from '../../extensions/admin-http/test/world.js'
import { which } from '../bench/peer.js'
import { Scratch } from '../bench/scratch.js'
import { contrastProblems } from './admin-contrast.js'
import { Chromium, type Tab } from './visitors/chromium.js'

const STREAMS = 10_000
const views = ['overview', 'clients', 'proxies', 'streams', 'refusals', 'extensions', 'configuration'] as const
const pictures = process.env['RYSTRA_SCREENSHOTS']
let failures = 0

const check = async (name: string, does: () => Promise<string>): Promise<void> => {
  try {
    console.log(`✓ ${name}: ${await does()}`)
  } catch (error) {
    failures += 1
    console.log(`✗ ${name}: ${(error as Error).message}`)
  }
}

const must = (condition: boolean, what: string): void => {
  if (!condition) throw new Error(what)
}

const within = async (tab: Tab, condition: string, what: string): Promise<void> => {
  const held = await tab.evaluate<boolean>(
    `new Promise((resolve) => {
      const end = performance.now() + 20000
      const look = () => (${condition}) ? resolve(true) : performance.now() > end ? resolve(false) : setTimeout(look, 50)
      look()
    })`
  )
  must(held, `${what}: ${(await tab.evaluate<string>('document.body.innerText')).slice(0, 300)}`)
}

const picture = async (tab: Tab, name: string): Promise<void> => {
  if (pictures === undefined) return
  mkdirSync(pictures, { recursive: true })
  const { data } = await tab.send('Page.captureScreenshot', { format: 'png' })
  writeFileSync(path.join(pictures, `${name}.png`), Buffer.from(String(data), 'base64'))
}

const size = (tab: Tab, width: number, height: number): Promise<unknown> =>
  tab.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false })

const theme = (tab: Tab, value: 'light' | 'dark'): Promise<unknown> =>
  tab.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value }] })

const show = async (tab: Tab, view: string): Promise<void> => {
  await tab.evaluate(`location.hash = '#${view}'`)
  const current = `document.querySelector('#tabs a[aria-current]')?.getAttribute('href') === '#${view}'`
  await within(tab, `${current} && document.getElementById('main').innerText.length > 40`, `the view ${view}`)
}

const key = async (tab: Tab, name: string, code = 0): Promise<void> => {
  const fields = { key: name, code: name, windowsVirtualKeyCode: code }
  await tab.send('Input.dispatchKeyEvent', { type: 'keyDown', ...fields, ...(name === 'Enter' ? { text: '\r' } : {}) })
  await tab.send('Input.dispatchKeyEvent', { type: 'keyUp', ...fields })
}

/** Buttons, links and fields that a screen reader could not name. */
const unnamed = async (tab: Tab): Promise<string[]> => {
  await tab.send('Accessibility.enable')
  const { nodes } = (await tab.send('Accessibility.getFullAXTree')) as {
    nodes: { ignored: boolean; role?: { value: string }; name?: { value: string } }[]
  }
  const roles = new Set(['button', 'link', 'textbox', 'searchbox', 'combobox', 'checkbox', 'grid', 'img', 'dialog'])
  return nodes
    .filter(({ ignored, role, name }) => !ignored && roles.has(role?.value ?? '') && (name?.value ?? '') === '')
    .map(({ role }) => role?.value ?? '')
}

const makeWorld = (): World => {
  const runtime = new FakeRuntime({
    config: () => ({ server: { listen: [{ transport: 'tls', port: 7000 }] }, extensions: [{ token: '[redacted]' }] })
  })
  for (let index = 0; index < 40; index += 1) {
    const info = runtime.addSession(`client-${index}`)
    Object.assign(info, { since: Date.now() - index * 7_654_321 })
    runtime.addProxy(info, `web-${index}`)
  }
  runtime.addStreams(session('client-1'), STREAMS)
  const tap = { stage: 0, onFailure: 'closed', calls: 1234, errors: 1, timeouts: 0, skipped: 0, totalMs: 56 }
  runtime.extensions = () => [
    {
      name: 'hook-acl',
      options: {},
      registers: [],
      requires: [],
      provides: [],
      taps: [{ hook: 'onOpenStream', extension: 'hook-acl', ...tap }]
    }
  ]
  return new World(runtime)
}

/** Refusals and traffic, while the page is open. */
const live = (world: World): (() => void) => {
  let carried = 0
  const { stats } = world.runtime
  const since = world.clock.now() - 90_061_000
  world.runtime.stats = () => ({
    ...stats(),
    since,
    proxies: 40,
    streams: STREAMS,
    bytesToService: carried,
    bytesToVisitor: carried * 4
  })
  let beats = 0
  const timer = setInterval(() => {
    beats += 1
    carried += 4e6 + 3e6 * Math.sin(beats / 3)
    world.clock.advance(1000)
    if (beats % 3 === 0) {
      const error = { code: 'auth.refused', message: 'authentication was refused: unknown token', retryable: false }
      world.runtime.happen({ type: 'refused', what: 'session', subject: '198.51.100.9', error } as never)
    }
  }, 150)
  return () => clearInterval(timer)
}

const all = async (world: World, browser: Chromium): Promise<void> => {
  const tab = await browser.tab()
  const url = `http://127.0.0.1:${world.port}/`
  await size(tab, 1280, 800)
  await check('logs in', async () => {
    await tab.open(url)
    await within(tab, `document.querySelector('input[type=password]') !== null`, 'the form')
    await picture(tab, 'login')
    await tab.evaluate(
      `(() => { const i = document.querySelector('input[type=password]'); i.value = 'wrong-token-wrong'; i.form.requestSubmit() })()`
    )
    await within(tab, `document.body.innerText.includes('not valid')`, 'the reason')
    tab.errors.length = 0
    await tab.evaluate(
      `(() => { const i = document.querySelector('input[type=password]'); i.value = '${tokens.admin}'; i.form.requestSubmit() })()`
    )
    await within(tab, `document.querySelectorAll('#tabs a').length === ${views.length}`, 'the views')
    return 'a wrong token is refused with its reason'
  })
  await check('draws live charts', async () => {
    await within(
      tab,
      `/[1-9][\\d.]* [kM]B\\/s/.test(document.querySelector('section.panel p').textContent)`,
      'throughput'
    )
    must(await tab.evaluate<boolean>(`document.querySelectorAll('canvas').length === 2`), 'two charts')
    return tab.evaluate<string>(`document.querySelector('section.panel p').textContent`)
  })
  // Some seconds of samples.
  await within(tab, `document.querySelectorAll('.card dd').length === 8`, 'cards')
  for (const mode of ['light', 'dark'] as const) {
    await theme(tab, mode)
    for (const view of views) {
      await check(`${view}, ${mode}`, async () => {
        await show(tab, view)
        await tab.evaluate('new Promise((resolve) => setTimeout(resolve, 700))')
        await picture(tab, `${view}-${mode}`)
        const nameless = await unnamed(tab)
        must(nameless.length === 0, `without a name: ${nameless.join(', ')}`)
        const poor = await tab.evaluate<string[]>(
          `(() => { const __name = (named) => named; return (${contrastProblems.toString()})() })()`
        )
        must(poor.length === 0, `contrast below 4.5: ${poor.slice(0, 5).join('; ')}`)
        return 'every control has a name, contrast is 4.5 or more'
      })
    }
  }
  await check('10,000 streams', async () => {
    await show(tab, 'streams')
    await within(tab, `document.querySelector('.grid').getAttribute('aria-rowcount') === '${STREAMS + 1}'`, 'all rows')
    const rows = await tab.evaluate<number>(`document.querySelectorAll('.grid .body .row').length`)
    must(rows < 60, `${rows} rows are in the page`)
    const slowest = await tab.evaluate<number>(`(async () => {
      const grid = document.querySelector('.grid'); let slowest = 0
      for (let index = 0; index < 50; index += 1) {
        const since = performance.now(); grid.scrollTop = index * 7000
        await new Promise(requestAnimationFrame); slowest = Math.max(slowest, performance.now() - since)
      }
      return slowest
    })()`)
    return `${rows} rows in the page, slowest frame while scrolling ${Math.round(slowest)} ms`
  })
  await check('by keyboard', async () => {
    await show(tab, 'clients')
    const first = `document.querySelector('.grid .body .row[tabindex="0"]')`
    await within(tab, `${first} !== null`, 'rows')
    await tab.evaluate(`${first}.focus()`)
    await key(tab, 'ArrowDown', 40)
    await key(tab, 'ArrowDown', 40)
    const index = await tab.evaluate<string>(`document.activeElement.getAttribute('aria-rowindex')`)
    must(index === '4', `the third row has the focus, not ${index}`)
    await key(tab, 'Enter', 13)
    await within(tab, `document.querySelector('dialog[open]') !== null`, 'details')
    await picture(tab, 'details')
    const before = world.runtime.closed.length
    await tab.evaluate(`document.querySelector('dialog .bad').click()`)
    await within(tab, `document.querySelectorAll('dialog[open]').length === 2`, 'the question')
    await tab.evaluate(`[...document.querySelectorAll('dialog[open]')].at(-1).querySelector('.bad').click()`)
    await within(tab, `document.getElementById('toasts').innerText.includes('was ended')`, 'the outcome')
    must(world.runtime.closed.length === before + 1, 'a session was ended')
    return `ended the session ${world.runtime.closed.at(-1)?.id}`
  })
  await check('360 px wide', async () => {
    await size(tab, 360, 720)
    for (const view of views) {
      await show(tab, view)
      await tab.evaluate('new Promise((resolve) => setTimeout(resolve, 500))')
      await picture(tab, `${view}-narrow`)
      const wide = await tab.evaluate<number>('document.documentElement.scrollWidth')
      must(wide <= 360, `${view} is ${wide} px wide`)
    }
    return 'no view is wider'
  })
  await check('no error in the console', async () => {
    const errors = tab.errors.filter((text) => !text.includes('401'))
    must(errors.length === 0, errors.slice(0, 3).join('\n'))
    return 'none'
  })
}

if (which('chromium') === undefined) console.log('– skipped: chromium not found (apt-get install chromium)')
else {
  const scratch = new Scratch()
  const world = makeWorld()
  try {
    await world.start()
    const stop = live(world)
    const browser = new Chromium(scratch, 'admin')
    try {
      await all(world, browser)
    } finally {
      stop()
      await browser.close()
    }
  } finally {
    await world.stop()
    await scratch.close()
  }
  process.exitCode = failures === 0 ? 0 : 1
}
