/**
 * `npm start`: a real server, a real client and a small web page, each on loopback; fetches the page through the tunnel and stays
 * until Ctrl-C. `npm start -- --once` ends after the check: 0, or 1 and the reason.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { build } from './build/index.js'
import { End } from './demo/end.js'
import { servePage, sha256, type WebPage } from './demo/page.js'

const say = (line = ''): void => console.log(line)
const once = process.argv.includes('--once')
const FETCH_TIMEOUT_MS = 20_000

const fetchAll = async (link: string, { sums }: WebPage): Promise<void> => {
  for (const [file, sum] of Object.entries(sums)) {
    const start = performance.now()
    const response = await fetch(new URL(file, link), {
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(FETCH_TIMEOUT_MS)
    })
    const body = new Uint8Array(await response.arrayBuffer())
    const milliseconds = performance.now() - start
    const found = sha256(body)
    const right = response.status === 200 && found === sum
    const size = body.length.toLocaleString('en')
    say(
      `  GET ${file}  ${response.status}, ${size} bytes in ${milliseconds.toFixed(1)} ms, sha256 ${found.slice(0, 16)}…`
    )
    if (!right) throw new Error(`what came through the tunnel is not what was sent: sha256 should be ${sum}`)
  }
}

/** Rejects when one of the ends goes by itself; never resolves. */
const watch = (ends: readonly End[]): Promise<never> =>
  new Promise((_, reject) => {
    const timer = setInterval(() => {
      const gone = ends.find((end) => end.gone !== undefined)?.gone
      if (gone === undefined) return
      clearInterval(timer)
      reject(new Error(gone))
    }, 500)
  })

/** Ctrl-C. The handler stays: a second one must not kill us while we clean up. */
const interrupted = new Promise<void>((resolve) => process.on('SIGINT', resolve).on('SIGTERM', resolve))

/** Starts both ends, shows that the tunnel works, and then, unless it is to be done once, watches over it. */
const show = async (page: WebPage, cwd: string, ends: End[]): Promise<void> => {
  say('· starting the server: rystra serve')
  const server = new End(['serve', '--host', '127.0.0.1', '--port', '0'], cwd)
  ends.push(server)
  const join = (await server.event('join'))['args'] as string[]
  say('· starting the client: rystra expose tcp')
  const client = new End(['expose', 'tcp', `127.0.0.1:${page.port}`, ...join], cwd)
  // In front: the client is stopped first.
  ends.unshift(client)
  const link = `http://${(await client.event('published'))['address']}/`
  say(`\n  ${link}  →  server  →  client  →  web page on 127.0.0.1:${page.port}\n`)
  await fetchAll(link, page)
  say('\n✔ The tunnel works: every byte came through it unchanged.')
  if (once) return
  say(`\nOpen ${link} in a browser. Ctrl-C stops everything.\n`)
  page.onVisit = (line) => say(`  ${line}`)
  await watch(ends)
}

const demo = async (): Promise<void> => {
  await build((line) => say(`· ${line}`))
  const page = await servePage()
  const empty = mkdtempSync(path.join(os.tmpdir(), 'rystra-start-'))
  const ends: End[] = []
  try {
    await Promise.race([show(page, empty, ends), interrupted])
    say('· stopping')
    for (const end of ends) {
      const code = await end.stop()
      if (code !== 0) throw new Error(`${end.name} ended with exit code ${code}`)
    }
  } finally {
    await Promise.all(ends.map((end) => end.stop()))
    page.close()
    rmSync(empty, { recursive: true, force: true })
  }
}

try {
  await demo()
} catch (error) {
  console.error(`\n✖ ${(error as Error).message}`)
  process.exitCode = 1
}
// What was waiting when it was interrupted, or failed, waits for nothing now.
process.exit()
