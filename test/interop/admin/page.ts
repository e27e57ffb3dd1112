import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Tab } from '../visitors/chromium.js'
import { contrastProblems } from './contrast.js'

const pictures = process.env['RYSTRA_SCREENSHOTS']
let failures = 0

/** Checks that failed. */
export const failed = (): number => failures

/** Runs one check, and prints what came of it. */
export const check = async (name: string, does: () => Promise<string>): Promise<void> => {
  try {
    console.log(`✓ ${name}: ${await does()}`)
  } catch (error) {
    failures += 1
    console.log(`✗ ${name}: ${(error as Error).message}`)
  }
}

/** Throws with `what` unless the condition holds. */
export const must = (condition: boolean, what: string): void => {
  if (!condition) throw new Error(what)
}

/** Waits for a condition of the page. */
export const within = async (tab: Tab, condition: string, what: string): Promise<void> => {
  const held = await tab.evaluate<boolean>(
    `new Promise((resolve) => {
      const end = performance.now() + 20000
      const look = () => (${condition}) ? resolve(true) : performance.now() > end ? resolve(false) : setTimeout(look, 50)
      look()
    })`
  )
  must(held, `${what}: ${(await tab.evaluate<string>('document.body.innerText')).slice(0, 300)}`)
}

/** Keeps a picture where RYSTRA_SCREENSHOTS names a folder. */
export const picture = async (tab: Tab, name: string): Promise<void> => {
  if (pictures === undefined) return
  mkdirSync(pictures, { recursive: true })
  const { data } = await tab.send('Page.captureScreenshot', { format: 'png' })
  writeFileSync(path.join(pictures, `${name}.png`), Buffer.from(String(data), 'base64'))
}

/** Size of the page in CSS pixels. */
export const size = (tab: Tab, width: number, height: number): Promise<unknown> =>
  tab.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false })

/** Theme of the desktop. */
export const theme = (tab: Tab, value: 'light' | 'dark'): Promise<unknown> =>
  tab.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value }] })

/** Opens a view by its link. */
export const show = async (tab: Tab, view: string): Promise<void> => {
  await tab.evaluate(`location.hash = '#${view}'`)
  const current = `document.querySelector('#tabs a[aria-current]')?.getAttribute('href') === '#${view}'`
  await within(tab, `${current} && document.getElementById('main').innerText.length > 40`, `the view ${view}`)
}

/** Presses a key. */
export const key = async (tab: Tab, name: string, code = 0): Promise<void> => {
  const fields = { key: name, code: name, windowsVirtualKeyCode: code }
  await tab.send('Input.dispatchKeyEvent', { type: 'keyDown', ...fields, ...(name === 'Enter' ? { text: '\r' } : {}) })
  await tab.send('Input.dispatchKeyEvent', { type: 'keyUp', ...fields })
}

/** Buttons, links and fields that a screen reader could not name. */
export const unnamed = async (tab: Tab): Promise<string[]> => {
  await tab.send('Accessibility.enable')
  const { nodes } = (await tab.send('Accessibility.getFullAXTree')) as {
    nodes: { ignored: boolean; role?: { value: string }; name?: { value: string } }[]
  }
  const roles = new Set(['button', 'link', 'textbox', 'searchbox', 'combobox', 'checkbox', 'grid', 'img', 'dialog'])
  return nodes
    .filter(({ ignored, role, name }) => !ignored && roles.has(role?.value ?? '') && (name?.value ?? '') === '')
    .map(({ role }) => role?.value ?? '')
}

/** Controls have names, and texts the contrast of WCAG AA. */
export const checkAccessible = async (tab: Tab): Promise<void> => {
  const nameless = await unnamed(tab)
  must(nameless.length === 0, `without a name: ${nameless.join(', ')}`)
  const poor = await tab.evaluate<string[]>(
    `(() => { const __name = (named) => named; return (${contrastProblems.toString()})() })()`
  )
  must(poor.length === 0, `contrast below 4.5: ${poor.slice(0, 5).join('; ')}`)
}

/** Fills in a token. */
export const logIn = (tab: Tab, token: string): Promise<void> =>
  tab.evaluate(
    `(() => { const i = document.querySelector('input[type=password]'); i.value = '${token}'; i.form.requestSubmit() })()`
  )

/** Scrolls the list, and answers with the slowest frame in milliseconds. */
export const slowestFrame = (tab: Tab, frames = 50): Promise<number> =>
  tab.evaluate<number>(`(async () => {
    const grid = document.querySelector('.grid'); let slowest = 0
    for (let index = 0; index < ${frames}; index += 1) {
      const since = performance.now(); grid.scrollTop = index * 7000
      await new Promise(requestAnimationFrame); slowest = Math.max(slowest, performance.now() - since)
    }
    return slowest
  })()`)

/** No view may be wider than the window. */
export const checkWidth = async (tab: Tab, view: string, width: number): Promise<void> => {
  const wide = await tab.evaluate<number>('document.documentElement.scrollWidth')
  must(wide <= width, `${view} is ${wide} px wide`)
}

/** The console has no error but those that were expected. */
export const checkConsole = (tab: Tab): void => {
  const errors = tab.errors.filter((text) => !text.includes('401'))
  must(errors.length === 0, errors.slice(0, 3).join('\n'))
}
