import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { loopback } from '../../bench/address.js'
import { freePort } from './free-port.js'
import { type Program, type Scratch, untilSays } from '../../bench/scratch.js'
import { Chromium, type Tab } from './chromium.js'
import { downloadDigests, downloadMegabytes, type Site, startSite } from './site.js'
import { must, outcome, type Report, type Trial } from './trial.js'
import { type Certificates, makeCertificates, resident, residentPeak, Tunnel } from './tunnel.js'

const host = 'app.localhost'

interface Loaded {
  readonly images: number
  readonly fonts: number
  readonly loaded: number
}

/** The page, with everything in it, and again from the cache of the browser. */
const loads = async (tab: Tab, url: string, site: Site): Promise<string> => {
  site.requests.length = 0
  const since = performance.now()
  await tab.open(url)
  const { images, fonts, loaded } = await tab.evaluate<Loaded>('import("/app.js").then(() => app.everything())')
  const took = performance.now() - since
  const missing = site.files.filter((file) => !site.requests.includes(file))
  must(missing.length === 0, `the service was never asked for ${missing.join(', ')}`)
  must(site.files.length >= 60, `only ${site.files.length} files`)
  must(tab.errors.length === 0, tab.errors.join('\n'))
  const bad = tab.answers.filter(([status]) => status >= 400)
  must(bad.length === 0, bad.join('\n'))
  const how = [...tab.protocols].map(([protocol, count]) => `${count} by ${protocol}`).join(', ')
  return `${site.files.length} files asked for and ${loaded + 1} loaded (${images} images, ${fonts} fonts), POST of 3 MB, 50 events; ${how}; ${Math.round(took)} ms; no error in the console`
}

const again = async (tab: Tab, site: Site): Promise<string> => {
  site.requests.length = 0
  const before = tab.answers.length
  await tab.open(`${await tab.evaluate<string>('location.origin')}/`)
  await tab.evaluate('import("/app.js").then(() => app.everything())')
  must(tab.errors.length === 0, tab.errors.join('\n'))
  return `${site.requests.length} requests at the service, ${tab.answers.length - before} answers, no error`
}

const talks = async (tab: Tab, site: Site): Promise<string> => {
  site.echoed.messages = 0
  site.echoed.returned = 0
  const since = performance.now()
  const count = await tab.evaluate<number>('app.webSocket()')
  const { messages, returned } = site.echoed
  must(count === 1000 && messages === 1001 && returned === 1000, JSON.stringify({ count, messages, returned }))
  must(tab.errors.length === 0, tab.errors.join('\n'))
  return `1,000 messages there and back, 1,000 of the service answered, 1 MiB of bytes, closed with 1000; ${Math.round(performance.now() - since)} ms`
}

const fileDigest = async (file: string): Promise<string> => {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** What server and client have resident before, at most, and after what is done; and how fast it was. */
const measured = async (ends: readonly Program[], does: () => Promise<void>): Promise<string> => {
  const before = resident(ends)
  const since = performance.now()
  const most = await residentPeak(ends, does)
  const seconds = (performance.now() - since) / 1000
  const after = resident(ends)
  return `${(downloadMegabytes / seconds).toFixed(0)} MB/s; server and client resident: before ${before}, at most ${most}, after ${after}`
}

const downloads = async (report: Report, scratch: Scratch, url: string, ends: readonly Program[]): Promise<void> => {
  const digests = downloadDigests()
  const size = `${downloadMegabytes} MB`
  if (report.has(`download of ${size} by curl`, 'curl'))
    await report.check(`download of ${size} by curl`, () =>
      measured(ends, async () => {
        const file = `${scratch.dir}/by-curl`
        const { code, stderr } = await outcome('curl', ['-sSf', '-o', file, `${url}/download`], 180_000)
        must(code === 0, stderr)
        must((await fileDigest(file)) === digests.whole, 'the checksum is another')
      }).then((said) => `checksum equal; ${said}`)
    )
  await report.check(`download of ${size} by chromium`, () =>
    within(new Chromium(scratch, 'download'), async (browser, tab) => {
      const said = await measured(ends, async () => {
        const file = await browser.download(tab, `${url}/download`)
        must(statSync(file).size === downloadMegabytes * 1e6, `${statSync(file).size} bytes`)
        must((await fileDigest(file)) === digests.whole, 'the checksum is another')
      })
      return `checksum equal; ${said}`
    })
  )
  await report.check(`${size} by fetch, as a stream`, () =>
    within(new Chromium(scratch, 'stream'), async (_, tab) => {
      await tab.open(`${url}/`)
      const said = await measured(ends, async () => {
        const found = await tab.evaluate<string[]>('import("/app.js").then(() => app.streamed())')
        must(found.join() === digests.tens.join(), 'checksums differ')
      })
      must(tab.errors.length === 0, tab.errors.join('\n'))
      return `checksum of each 10 MB equal; ${said}`
    })
  )
}

const within = async <Result>(
  browser: Chromium,
  does: (browser: Chromium, tab: Tab) => Promise<Result>
): Promise<Result> => {
  try {
    return await does(browser, await browser.tab())
  } finally {
    await browser.close()
  }
}

const start = async (
  scratch: Scratch,
  site: Site,
  { cert, key }: Certificates
): Promise<{ ends: Program[]; web: number; tls: number }> => {
  const [web, tls] = [await freePort(), await freePort()]
  const tunnel = await Tunnel.serve(scratch, {
    name: 'browser',
    extensions: [
      { use: '@rystra/proxy-http', options: { listen: [{ host: loopback, port: web }] } },
      {
        use: '@rystra/proxy-https',
        options: { listen: [{ host: loopback, port: tls }], certificates: [{ cert, key }] }
      }
    ]
  })
  const client = await tunnel.connect('site', { proxies: [{ name: 'app', kind: 'http', local: site.port }] })
  await untilSays(client, new RegExp(`http://${host}:${web}`))
  return { ends: [tunnel.server, client], web, tls }
}

export const browser: Trial = {
  name: 'chromium',
  programs: ['chromium'],
  async use(scratch, report) {
    const certificates = await makeCertificates(scratch, host)
    const site = await startSite()
    try {
      const { ends, web, tls } = await start(scratch, site, certificates)
      report.watch(...ends)
      for (const [url, name] of [
        [`http://${host}:${web}`, 'http'],
        [`https://${host}:${tls}`, 'https']
      ] as const) {
        await within(new Chromium(scratch, name, certificates.cert), async (_, tab) => {
          await report.check(`a page, ${name}`, () => loads(tab, `${url}/`, site))
          await report.check(`the page again, ${name}`, () => again(tab, site))
          await report.check(`a WebSocket, ${name}`, () => talks(tab, site))
        })
      }
      await downloads(report, scratch, `http://${host}:${web}`, ends)
    } finally {
      site.close()
    }
  }
}
