import { toast } from './dom.js'

/** Routes of inspect-http; this page knows their answers, and not the extension. */
export const base = '/v1/extensions/inspect'

/** A request in a list. */
export interface ExchangeRow {
  readonly id: string
  readonly time: number
  readonly proxy: string
  readonly client: string
  readonly visitor: string
  readonly method: string
  readonly url: string
  readonly status: number
  readonly duration?: number
  readonly responseLength: number
  readonly protocol?: string
  readonly replayOf?: string
  readonly error?: string
}

/** A head with its body. */
export interface Message {
  readonly headers: readonly (readonly [string, string])[]
  readonly body: {
    readonly length: number
    readonly truncated: boolean
    readonly text?: string
    readonly base64?: string
    readonly problem?: string
  }
}

/** A request with its response. */
export interface Exchange extends ExchangeRow {
  readonly request: Message
  readonly response?: Message
  readonly timeline: { readonly sent?: number; readonly responded?: number; readonly ended?: number }
  readonly message?: string
}

export const exchangePath = ({ id }: ExchangeRow): string => `${base}/exchanges/${encodeURIComponent(id)}`

export const ms = (value: number | undefined): string => (value === undefined ? '–' : `${Math.round(value)} ms`)

export const failed = (error: unknown): void => toast((error as Error).message, true)
