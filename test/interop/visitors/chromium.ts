import { createHash, X509Certificate } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { Readable, Writable } from 'node:stream'
import type { Program, Scratch } from '../../bench/scratch.js'

interface Said {
  readonly id?: number
  readonly method?: string
  readonly sessionId?: string
  readonly params?: Record<string, unknown>
  readonly result?: Record<string, unknown>
  readonly error?: { readonly message: string }
}

/** Chromium without a window, driven over its DevTools pipe. Each has a profile of its own. */
export class Chromium {
  readonly #program: Program
  readonly #say: Writable
  readonly #waiting = new Map<number, (said: Said) => void>()
  readonly #events = new EventEmitter()
  readonly #folder: string
  readonly #scratch: Scratch
  #last = 0

  /** @param trusted Certificate whose key is believed without an authority. */
  constructor(scratch: Scratch, name: string, trusted?: string) {
    this.#scratch = scratch
    this.#folder = path.join(scratch.dir, `${name}-downloads`)
    mkdirSync(this.#folder)
    const key = trusted === undefined ? undefined : new X509Certificate(readFileSync(trusted)).publicKey
    const pin =
      key &&
      createHash('sha256')
        .update(key.export({ type: 'spki', format: 'der' }))
        .digest('base64')
    const args = [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--disable-background-networking',
      '--disable-component-update',
      '--no-first-run',
      '--remote-debugging-pipe',
      `--user-data-dir=${path.join(scratch.dir, `${name}-profile`)}`,
      ...(pin === undefined ? [] : [`--ignore-certificate-errors-spki-list=${pin}`]),
      'about:blank'
    ]
    this.#program = scratch.start('chromium', args, { stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'] })
    const [, , , say, hear] = this.#program.child.stdio as unknown as [null, Readable, Readable, Writable, Readable]
    this.#say = say
    say.on('error', () => {})
    hear.on('error', () => {})
    let rest = Buffer.alloc(0)
    hear.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk])
      for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0)) {
        this.#heard(JSON.parse(rest.subarray(0, end).toString()) as Said)
        rest = rest.subarray(end + 1)
      }
    })
    this.#program.child.once('exit', () => {
      for (const answer of this.#waiting.values()) answer({ error: { message: `it ended: ${this.#program.said()}` } })
    })
  }

  #heard(said: Said): void {
    if (said.id !== undefined) {
      this.#waiting.get(said.id)?.(said)
      this.#waiting.delete(said.id)
    } else if (said.method !== undefined) this.#events.emit(said.method, said.params ?? {})
  }

  /** Rejects with what the browser says against it, or when it has not answered for two minutes. */
  send(method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> {
    this.#last += 1
    const id = this.#last
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${method}: no answer of chromium`)), 120_000)
      this.#waiting.set(id, ({ result = {}, error }) => {
        clearTimeout(late)
        if (error === undefined) resolve(result)
        else reject(new Error(`${method}: ${error.message}`))
      })
      this.#say.write(`${JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`)
    })
  }

  on(event: string, listener: (params: Record<string, unknown>) => void): void {
    this.#events.on(event, listener)
  }

  close(): Promise<void> {
    return this.#scratch.end(this.#program.child)
  }

  /** An empty tab that notes what goes wrong in it. */
  async tab(): Promise<Tab> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true })
    const tab = new Tab(this, String(sessionId))
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await tab.send(`${domain}.enable`)
    return tab
  }

  /** Lets an address be downloaded; the answer is the file. */
  async download(tab: Tab, url: string): Promise<string> {
    await this.send('Browser.setDownloadBehavior', {
      behavior: 'allow',
      downloadPath: this.#folder,
      eventsEnabled: true
    })
    let name = ''
    this.on('Browser.downloadWillBegin', ({ suggestedFilename }) => {
      name = String(suggestedFilename)
    })
    const over = new Promise<string>((resolve) =>
      this.on('Browser.downloadProgress', ({ state }) => {
        if (state !== 'inProgress') resolve(String(state))
      })
    )
    await tab.send('Page.navigate', { url })
    const state = await over
    if (state !== 'completed') throw new Error(`the download was ${state}`)
    return path.join(this.#folder, name)
  }
}

/** A tab, and what its console and its network said against the page. */
export class Tab {
  readonly errors: string[] = []
  /** Answers by protocol: `http/1.1`, `h2`. */
  readonly protocols = new Map<string, number>()
  /** Addresses of answers, by status. */
  readonly answers: [status: number, url: string][] = []
  readonly #browser: Chromium
  readonly #session: string

  constructor(browser: Chromium, session: string) {
    this.#browser = browser
    this.#session = session
    const text = (value: unknown): string => JSON.stringify(value).slice(0, 500)
    browser.on('Runtime.exceptionThrown', (params) => this.errors.push(text(params)))
    browser.on('Runtime.consoleAPICalled', (params) => {
      if (params['type'] === 'error' || params['type'] === 'warning') this.errors.push(text(params))
    })
    browser.on('Log.entryAdded', ({ entry }) => {
      if ((entry as { level: string }).level === 'error') this.errors.push(text(entry))
    })
    browser.on('Network.loadingFailed', (params) => {
      // A page that closes an EventSource cancels its request.
      if (params['canceled'] !== true) this.errors.push(text(params))
    })
    browser.on('Network.responseReceived', ({ response }) => {
      const { status, url, protocol } = response as { status: number; url: string; protocol: string }
      this.protocols.set(protocol, (this.protocols.get(protocol) ?? 0) + 1)
      this.answers.push([status, url])
    })
  }

  send(method: string, params: object = {}): Promise<Record<string, unknown>> {
    return this.#browser.send(method, params, this.#session)
  }

  /** Goes to a page; over when it is loaded with all that it names. */
  async open(url: string): Promise<void> {
    const loaded = new Promise((resolve) => this.#browser.on('Page.loadEventFired', resolve))
    const { errorText } = await this.send('Page.navigate', { url })
    if (errorText !== undefined) throw new Error(`${url}: ${String(errorText)}`)
    await loaded
  }

  /** The value of an expression; a promise is waited for. Throws what it throws. */
  async evaluate<Value>(expression: string): Promise<Value> {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true
    })
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails).slice(0, 1000))
    return (result as { value: Value }).value
  }
}
