import type { CertificateInfo } from '@rystra/plugin'
import { FakeRuntime, session, tokens, World } from '../../../extensions/admin-http/test/world.js'
import type { Chromium } from '../visitors/chromium.js'
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

const STREAMS = 10_000
const CERTIFICATES = 10_000
const views = [
  'overview',
  'clients',
  'proxies',
  'streams',
  'refusals',
  'certificates',
  'cluster',
  'extensions',
  'configuration'
] as const

const DAY_MS = 86_400_000

/** Certificates in all of their states. */
function* certificatesOf(): Generator<CertificateInfo> {
  const now = Date.now()
  const error = {
    code: 'acme.rate-limited',
    message: 'the authority takes no more orders for now: too many certificates already issued for example.org',
    retryable: true
  }
  for (let index = 0; index < CERTIFICATES; index += 1) {
    const host = `host-${String(index).padStart(4, '0')}.example.org`
    const state = (['valid', 'valid', 'failed', 'ordering', 'waiting'] as const)[index % 5] ?? 'valid'
    const has = state === 'valid' || index % 2 === 0
    yield {
      host,
      source: 'acme',
      state,
      ...(has ? { expires: now + (20 + (index % 60)) * DAY_MS } : {}),
      ...(state === 'ordering' ? {} : { next: now + (index % 60) * DAY_MS }),
      ...(state === 'failed' ? { error } : {})
    }
  }
}

const members = [
  { name: 'east', host: '10.0.0.1', port: 7100, self: true },
  { name: 'north', host: '10.0.0.2', port: 7100, self: false },
  { name: 'west', host: '2001:db8::3', port: 7100, self: false }
]

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
      registers: ['certificates:acme'],
      requires: [],
      provides: [],
      taps: [{ hook: 'onOpenStream', extension: 'hook-acl', ...tap }]
    }
  ]
  runtime.certificates = certificatesOf
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
    cluster: { name: 'east', cluster: 'tunnels', state: 'up', members, forwarded: 12 },
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

const run = async (world: World, browser: Chromium): Promise<void> => {
  const tab = await browser.tab()
  const url = `http://127.0.0.1:${world.port}/`
  await size(tab, 1280, 800)
  await check('logs in', async () => {
    await tab.open(url)
    await within(tab, `document.querySelector('input[type=password]') !== null`, 'the form')
    await picture(tab, 'login')
    await logIn(tab, 'wrong-token-wrong')
    await within(tab, `document.body.innerText.includes('not valid')`, 'the reason')
    tab.errors.length = 0
    await logIn(tab, tokens.admin)
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
        await checkAccessible(tab)
        return 'every control has a name, contrast is 4.5 or more'
      })
    }
  }
  await check('10,000 streams', async () => {
    await show(tab, 'streams')
    await within(tab, `document.querySelector('.grid').getAttribute('aria-rowcount') === '${STREAMS + 1}'`, 'all rows')
    const rows = await tab.evaluate<number>(`document.querySelectorAll('.grid .body .row').length`)
    must(rows < 60, `${rows} rows are in the page`)
    const slowest = await slowestFrame(tab)
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
  await check('10,000 certificates', async () => {
    await show(tab, 'certificates')
    await within(tab, `document.querySelector('.grid').getAttribute('aria-rowcount') === '${CERTIFICATES + 1}'`, 'all')
    await tab.evaluate(`(() => { const s = document.querySelector('input[type=search]')
      s.value = 'failed'; s.dispatchEvent(new Event('input')) })()`)
    await within(tab, `document.querySelector('.panel .soft').textContent === '2,000'`, 'those that failed')
    await tab.evaluate(`document.querySelector('.grid .body .row').click()`)
    await within(
      tab,
      `document.querySelector('dialog[open]')?.innerText.includes('too many certificates')`,
      'the error'
    )
    await picture(tab, 'certificate')
    await tab.evaluate(`document.querySelector('dialog .main').click()`)
    return 'the last error and the next order are shown'
  })
  for (const [width, height] of [
    [360, 720],
    [3840, 2160]
  ] as const) {
    await check(`${width} px wide`, async () => {
      await size(tab, width, height)
      for (const view of views) {
        await show(tab, view)
        await tab.evaluate('new Promise((resolve) => setTimeout(resolve, 500))')
        await picture(tab, `${view}-${width}`)
        await checkWidth(tab, view, width)
      }
      return 'no view is wider'
    })
  }
  await check('no error in the console', async () => {
    checkConsole(tab)
    return 'none'
  })
  // It would go on to ask for events.
  await tab.open('about:blank')
}

/** Every view of the dashboard but requests, of a runtime of values. */
export const checkViews = async (browser: Chromium): Promise<void> => {
  const world = makeWorld()
  await world.start()
  const stop = live(world)
  try {
    await run(world, browser)
  } finally {
    stop()
    await world.stop()
  }
}
