import { RystraError } from '@rystra/plugin'
import { STATUS_CODES } from 'node:http'
import { pageText } from './expand.js'
import type { Problem } from './problem.js'

/** What an error is answered with. */
export interface Page {
  readonly type: string
  readonly body: Buffer
}

type Templates = Readonly<Record<string, string>>

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;'
}
const escaped = (text: string): string => text.replace(/[&<>"']/g, (char) => escapes[char] as string)

const standard =
  '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">' +
  '<title>{{status}} {{title}}</title><style>body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;' +
  'padding:0 1rem}code{color:#777}</style><h1>{{status}} {{title}}</h1><p>{{text}}.</p><p><code>{{code}}</code></p></html>\n'

/** Whether HTML is wanted before plain text: browsers say so, programs do not. */
const wantsHtml = (accept: string | undefined): boolean =>
  accept !== undefined && /text\/html|application\/xhtml/i.test(accept)

/** The pages of a server, or of one proxy. */
export class Pages {
  readonly #templates: Templates

  constructor(templates: Templates = {}) {
    this.#templates = templates
  }

  /** Reads the files that are named. Throws `config.invalid`. */
  static read(written: Templates, dir: string): Pages {
    const fail = (status: string) => (detail: string) =>
      new RystraError('config.invalid', { detail: `proxy-http: errorPages ${status}: ${detail}` })
    return new Pages(
      Object.fromEntries(Object.entries(written).map(([status, page]) => [status, pageText(page, dir, fail(status))]))
    )
  }

  #of(status: number): string | undefined {
    return this.#templates[status] ?? this.#templates[`${Math.floor(status / 100)}xx`]
  }

  /** The page for a problem; `own` are those of the proxy, if it was found. */
  render({ status, message, code }: Problem, accept: string | undefined, own?: Pages): Page {
    const title = STATUS_CODES[status] ?? 'Error'
    const text = `${message.charAt(0).toUpperCase()}${message.slice(1)}`
    if (!wantsHtml(accept)) {
      return { type: 'text/plain; charset=utf-8', body: Buffer.from(`${status} ${title}\n${text}.\n(${code})\n`) }
    }
    const values: Record<string, string> = { status: String(status), title, text, code }
    const template = (own === undefined ? undefined : own.#of(status)) ?? this.#of(status) ?? standard
    const html = template.replace(/\{\{(status|title|text|code)\}\}/g, (_, name: string) =>
      escaped(values[name] as string)
    )
    return { type: 'text/html; charset=utf-8', body: Buffer.from(html) }
  }
}
