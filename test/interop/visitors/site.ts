import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { crc32, deflateSync, gzipSync } from 'node:zlib'
import { loopback } from '../../bench/address.js'
import { type Echoed, echoSocket } from './socket-echo.js'

const page = path.resolve(import.meta.dirname, 'page')
const [styles, modules, pictures, records] = [15, 20, 24, 12]
/** How much is downloaded: 500 MB unless the environment says otherwise. */
export const downloadMegabytes = Number(process.env['RYSTRA_INTEROP_MB'] ?? 500)
const block = randomBytes(1_000_000)

/** A part of a PNG, with its length and sum. */
const part = (type: string, data: Buffer): Buffer => {
  const body = Buffer.concat([Buffer.from(type), data])
  const sized = Buffer.alloc(body.length + 8)
  sized.writeUInt32BE(data.length, 0)
  body.copy(sized, 4)
  sized.writeUInt32BE(crc32(body), body.length + 4)
  return sized
}

/** A PNG of grey noise, `side` pixels wide and high. */
const png = (side: number): Buffer => {
  const head = Buffer.alloc(13)
  head.writeUInt32BE(side, 0)
  head.writeUInt32BE(side, 4)
  head.writeUInt8(8, 8)
  const rows = Buffer.concat(Array.from({ length: side }, () => Buffer.concat([Buffer.alloc(1), randomBytes(side)])))
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10])
  return Buffer.concat([signature, part('IHDR', head), part('IDAT', deflateSync(rows)), part('IEND', Buffer.alloc(0))])
}

const fontFile = (): string | undefined => {
  const folder = '/usr/share/fonts/truetype'
  try {
    const found = readdirSync(folder, { recursive: true })
      .map(String)
      .find((name) => /\.ttf$/.test(name))
    return found === undefined ? undefined : path.join(folder, found)
  } catch {
    return undefined
  }
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

/** Everything that the page loads by itself, by path. */
const makeFiles = (): Map<string, [type: string, body: Buffer]> => {
  const files = new Map<string, [string, Buffer]>()
  const text = (name: string, type: string, body: string): unknown => files.set(name, [type, Buffer.from(body)])
  const filler = `/* ${'x'.repeat(3000)} */\n`
  for (const index of numbers(styles))
    text(`/styles/${index}.css`, 'text/css', `${filler}:root { --style-${index}: "${index}" }\n`)
  for (const index of numbers(modules)) {
    const next = index + 1 < modules ? `import { sum as below } from './${index + 1}.js'\n` : 'const below = 0\n'
    text(`/modules/${index}.js`, 'text/javascript', `${next}${filler}export const sum = below + ${index}\n`)
  }
  for (const index of numbers(pictures)) {
    const side = 16 + 8 * index
    if (index % 2 === 0) files.set(`/pictures/${index}`, ['image/png', png(side)])
    else
      text(
        `/pictures/${index}`,
        'image/svg+xml',
        `<svg xmlns="http://www.w3.org/2000/svg" width="${side}" height="${side}"><circle r="9"/></svg>`
      )
  }
  for (const index of numbers(records)) {
    const payload = randomBytes(50 * index + 10).toString('hex')
    const digest = createHash('sha256').update(payload).digest('hex')
    text(`/records/${index}.json`, 'application/json', JSON.stringify({ payload, digest }))
  }
  const font = fontFile()
  if (font !== undefined)
    for (const name of ['a', 'b']) files.set(`/fonts/${name}.ttf`, ['font/ttf', readFileSync(font)])
  const links = numbers(styles).map((index) => `<link rel="stylesheet" href="/styles/${index}.css">`)
  const images = numbers(pictures).map((index) => `<img src="/pictures/${index}" data-side="${16 + 8 * index}">`)
  const faces = ['a', 'b'].map((name) => `@font-face { font-family: f${name}; src: url(/fonts/${name}.ttf) }`)
  const letters = font === undefined ? '' : '<p style="font-family: fa">one</p><p style="font-family: fb">two</p>'
  text(
    '/',
    'text/html; charset=utf-8',
    `<!doctype html><title>behind the tunnel</title><link rel="icon" href="/pictures/0">${links.join('\n')}
<style>${font === undefined ? '' : faces.join('\n')}</style>${letters}${images.join('\n')}
<script>window.expected = ${JSON.stringify({ styles, modules, records, fonts: font === undefined ? 0 : 2 })}</script>
<script type="module" src="/app.js"></script>`
  )
  text('/app.js', 'text/javascript', readFileSync(path.join(page, 'app.js'), 'utf8'))
  return files
}

/** Each chunk is different, so that one lost or doubled is noticed. */
const downloadChunk = (index: number): Buffer => {
  const chunk = Buffer.from(block)
  chunk.writeUInt32BE(index)
  return chunk
}

function* downloadChunks(): Generator<Buffer> {
  for (const index of numbers(downloadMegabytes)) yield downloadChunk(index)
}

/** SHA-256 of the whole download, and of each 10 MB of it. */
export const downloadDigests = (): { whole: string; tens: string[] } => {
  const whole = createHash('sha256')
  const tens: string[] = []
  for (let ten = 0; ten < downloadMegabytes; ten += 10) {
    const one = createHash('sha256')
    for (let index = ten; index < Math.min(ten + 10, downloadMegabytes); index += 1) {
      const chunk = downloadChunk(index)
      whole.update(chunk)
      one.update(chunk)
    }
    tens.push(one.digest('hex'))
  }
  return { whole: whole.digest('hex'), tens }
}

const download = async (response: ServerResponse): Promise<void> => {
  response.writeHead(200, {
    'Content-Type': 'application/octet-stream',
    'Content-Disposition': 'attachment; filename="download.bin"',
    'Content-Length': downloadMegabytes * block.length
  })
  await pipeline(Readable.from(downloadChunks()), response)
}

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** An application as one finds them, on a port of this machine. */
export interface Site {
  readonly port: number
  /** Paths in the order of the requests. */
  readonly requests: string[]
  /** Files of the page. */
  readonly files: readonly string[]
  readonly echoed: Echoed
  close(): void
}

export const startSite = async (): Promise<Site> => {
  const files = makeFiles()
  const requests: string[] = []
  const echoed: Echoed = { messages: 0, returned: 0 }
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname } = new URL(request.url ?? '/', 'http://site')
    requests.push(pathname)
    const file = files.get(pathname)
    if (pathname === '/download') return download(response)
    if (pathname === '/upload') {
      const body = await bodyOf(request)
      return void response.end(createHash('sha256').update(body).digest('hex'))
    }
    if (pathname === '/events') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
      for (const index of numbers(50)) {
        response.write(`id: ${index}\ndata: event ${index}\n\n`)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      return
    }
    if (file === undefined) return void response.writeHead(404).end('not here')
    const [type, body] = file
    const etag = `"${createHash('sha1').update(body).digest('base64url')}"`
    const headers = { 'Content-Type': type, ETag: etag, 'Cache-Control': 'no-cache', Vary: 'Accept-Encoding' }
    if (request.headers['if-none-match'] === etag) return void response.writeHead(304, headers).end()
    if (!/^(text|application)/.test(type)) return void response.writeHead(200, headers).end(body)
    // No length: in chunks.
    response.writeHead(200, { ...headers, 'Content-Encoding': 'gzip' }).end(gzipSync(body))
  }
  const server = http.createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  server.on('upgrade', (request, socket, head) => echoSocket(request, socket, head, echoed))
  server.listen(0, loopback)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    files: [...files.keys()],
    echoed,
    close: () => {
      server.closeAllConnections()
      server.close()
    }
  }
}
