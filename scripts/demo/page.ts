import { createHash, randomBytes } from 'node:crypto'
import http from 'node:http'
import type { AddressInfo } from 'node:net'

const html = `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <title>Rystra</title>
  <style>
    :root { color-scheme: light dark; font: 1.1rem/1.6 system-ui, sans-serif }
    body { max-width: 34rem; margin: 4rem auto; padding: 0 1rem }
  </style>
  <h1>It works.</h1>
  <p>This page is served by a small program on a port of its own. You reached it through a Rystra server and a Rystra client.</p>
</html>
`

const size = 32 << 20

/** What can be fetched: a page for people, and bytes for the check. */
export interface WebPage {
  readonly port: number
  /** SHA-256 of what is at each path, in hex. */
  readonly sums: Readonly<Record<string, string>>
  /** Told of each visit. */
  onVisit: ((line: string) => void) | undefined
  close(): void
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Serves it on any free port of loopback. */
export const servePage = async (): Promise<WebPage> => {
  const bodies: Record<string, Buffer> = { '/': Buffer.from(html), '/bytes': randomBytes(size) }
  const server = http.createServer((request, response) => {
    const body = bodies[request.url ?? '']
    if (body === undefined) response.writeHead(404).end('there is / and /bytes\n')
    else {
      const type = request.url === '/' ? 'text/html; charset=utf-8' : 'application/octet-stream'
      response.writeHead(200, { 'content-type': type, 'content-length': body.length }).end(body)
    }
    page.onVisit?.(`${request.method} ${request.url} ${response.statusCode}`)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const page: WebPage = {
    onVisit: undefined,
    port: (server.address() as AddressInfo).port,
    sums: Object.fromEntries(Object.entries(bodies).map(([path, body]) => [path, sha256(body)])),
    close: () => {
      server.close()
      server.closeAllConnections()
    }
  }
  return page
}
