import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import path from 'node:path'
import type { Api } from './context.js'

/** The built page; the same from `src` and from `dist`. */
const pageFolder = fileURLToPath(new URL('../dist/page/', import.meta.url))
const staticFolder = fileURLToPath(new URL('../page/', import.meta.url))

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml'
}

/** No script, style or request but those of this server; no frame around it. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join('; ')

interface PageFile {
  readonly url: string
  readonly type: string
  readonly bytes: Buffer
  readonly tag: string
}

const readPage = async (url: string, file: string): Promise<PageFile> => {
  const bytes = await readFile(file)
  const tag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
  return { url, type: types[path.extname(file)] ?? 'application/octet-stream', bytes, tag }
}

const filesOf = async (folder: string, extension: RegExp): Promise<PageFile[]> => {
  const names = await readdir(folder).catch(() => [])
  return Promise.all(
    names.filter((name) => extension.test(name)).map((name) => readPage(`/${name}`, path.join(folder, name)))
  )
}

const chartFiles = (): Promise<PageFile[]> => {
  const folder = path.dirname(createRequire(import.meta.url).resolve('uplot'))
  return Promise.all([
    readPage('/uplot.js', path.join(folder, 'uPlot.iife.min.js')),
    readPage('/uplot.css', path.join(folder, 'uPlot.min.css'))
  ])
}

/** The dashboard at `/`: files that are the same for all, and need no token. */
export const addDashboard = async (app: Api): Promise<void> => {
  const files = [
    ...(await filesOf(staticFolder, /\.(html|css|svg)$/)),
    ...(await filesOf(pageFolder, /\.js$/)),
    ...(await chartFiles())
  ]
  for (const { url, type, bytes, tag } of files) {
    app.get(
      url === '/index.html' ? '/' : url,
      { config: { scope: 'public' }, schema: { hide: true } },
      (request, reply) => {
        void reply.headers({
          'content-security-policy': policy,
          'cross-origin-opener-policy': 'same-origin',
          'cache-control': 'no-cache',
          etag: tag
        })
        if (request.headers['if-none-match'] === tag) return reply.code(304).send()
        return reply.type(type).send(bytes)
      }
    )
  }
}
