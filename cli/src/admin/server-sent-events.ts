/** One event of a stream of server-sent events. */
export interface ServerSentEvent {
  /** Absent where the event has none. */
  readonly id?: string
  readonly event: string
  readonly data: Record<string, unknown>
}

/** The largest event that is read. */
const MAX_EVENT_CHARACTERS = 1024 * 1024

const parse = (block: string): ServerSentEvent | undefined => {
  const fields: Record<string, string> = {}
  for (const line of block.split('\n')) {
    const [, name, value = ''] = /^(id|event|data): ?(.*)$/.exec(line) ?? []
    if (name !== undefined) fields[name] = value
  }
  const { id, event = 'message', data } = fields
  if (data === undefined) return undefined
  return { ...(id === undefined ? {} : { id }), event, data: JSON.parse(data) as Record<string, unknown> }
}

/** Reads events as our admin API writes them: one line of JSON each. */
export async function* serverSentEvents(chunks: AsyncIterable<unknown>): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of chunks) {
    text += decoder.decode(chunk as Uint8Array, { stream: true })
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    if (text.length > MAX_EVENT_CHARACTERS) throw new Error('an event is too large')
    for (const block of blocks) {
      const event = parse(block)
      if (event !== undefined) yield event
    }
  }
}
