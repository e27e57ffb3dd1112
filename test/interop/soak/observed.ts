import { loopback } from '../../bench/address.js'

/** What is compared: its unit, how a window is summed up, and how much more the last window may have. */
interface Figure {
  readonly title: string
  readonly query: (selector: string, window: string) => string
  readonly scale: number
  readonly digits: number
  readonly most: (first: number) => number
}

const MiB = 1024 ** 2

const figures: readonly Figure[] = [
  {
    title: 'heap after collections, MiB',
    query: (selector, window) => `min_over_time(nodejs_heap_size_used_bytes${selector}[${window}])`,
    scale: 1 / MiB,
    digits: 1,
    most: (first) => first * 1.2 + 8
  },
  {
    title: 'resident memory, MiB',
    query: (selector, window) => `avg_over_time(process_resident_memory_bytes${selector}[${window}])`,
    scale: 1 / MiB,
    digits: 1,
    most: (first) => first * 1.25 + 32
  },
  {
    // The floor: bursts of visitors open more for a minute.
    title: 'open descriptors, least',
    query: (selector, window) => `min_over_time(process_open_fds${selector}[${window}])`,
    scale: 1,
    digits: 0,
    most: (first) => first + 24
  },
  {
    title: 'delay of the event loop, p99, ms',
    query: (selector, window) => `avg_over_time(nodejs_eventloop_lag_p99_seconds${selector}[${window}])`,
    scale: 1000,
    digits: 1,
    most: (first) => first * 2 + 20
  },
  {
    title: 'processor, seconds a second',
    query: (selector, window) => `rate(process_cpu_seconds_total${selector}[${window}])`,
    scale: 1,
    digits: 2,
    most: (first) => first * 1.5 + 0.1
  }
]

/** One figure of one end in the first and the last window. */
export interface Compared {
  readonly end: string
  readonly title: string
  readonly first: string
  readonly last: string
  readonly grown: boolean
}

/** Asks a Prometheus for the first and the last window. @param window seconds */
export const compare = async (
  web: number,
  ends: Readonly<Record<string, number>>,
  window: number,
  times: { readonly first: number; readonly last: number }
): Promise<Compared[]> => {
  const value = async (query: string, time: number): Promise<number> => {
    const parameters = new URLSearchParams({ query, time: String(time / 1000) })
    const answer = await fetch(`http://${loopback}:${web}/api/v1/query?${parameters}`)
    const { data } = (await answer.json()) as { data?: { result: { value: [number, string] }[] } }
    return Number(data?.result[0]?.value[1] ?? Number.NaN)
  }
  const compared: Compared[] = []
  for (const [end, port] of Object.entries(ends)) {
    for (const { title, query, scale, digits, most } of figures) {
      const text = query(`{instance="${loopback}:${port}"}`, `${window}s`)
      const [first, last] = [(await value(text, times.first)) * scale, (await value(text, times.last)) * scale]
      // Not a number: nothing was scraped, which is no success either.
      const grown = !(last <= most(first))
      compared.push({ end, title, first: first.toFixed(digits), last: last.toFixed(digits), grown })
    }
  }
  return compared
}
