import { readdir, readFile } from 'node:fs/promises'
import { type IntervalHistogram, monitorEventLoopDelay, performance } from 'node:perf_hooks'
import type { Exposition } from './exposition.js'

const NANOSECONDS = 1e9

/** Interval of the timer whose delay is measured: at 20 ms its wake-ups cost an idle process 0.2 % of a processor. */
const INTERVAL_MS = 50

/** Seconds of delay: what Node measures is the time between two calls of its timer, nanoseconds. */
export const lagSeconds = (interval: number): number => Math.max(0, interval / NANOSECONDS - INTERVAL_MS / 1000)

/** Open files and their limit, where the system tells (Linux). */
const descriptors = async (): Promise<{ open?: number; limit?: number }> => {
  const open = await readdir('/proc/self/fd').then(
    ({ length }) => length,
    () => undefined
  )
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '')
  const limit = /^Max open files\s+(\d+)/m.exec(limits)?.[1]
  // The folder that is being read takes a descriptor itself.
  return { ...(open === undefined ? {} : { open: open - 1 }), ...(limit === undefined ? {} : { limit: Number(limit) }) }
}

/** Metrics of this process, by the names that Prometheus' client libraries use. */
export class ProcessMetrics {
  #delay: IntervalHistogram | undefined
  #utilization = performance.eventLoopUtilization()

  /** Begins to measure the delay of the event loop. */
  start(): void {
    this.#delay = monitorEventLoopDelay({ resolution: INTERVAL_MS })
    this.#delay.enable()
  }

  stop(): void {
    this.#delay?.disable()
    this.#delay = undefined
  }

  /** Renders all; the delay of the event loop is that since the last call. */
  async render(out: Exposition): Promise<void> {
    const { user, system } = process.cpuUsage()
    const memory = process.memoryUsage()
    const { open, limit } = await descriptors()
    out.single('process_cpu_seconds_total', 'counter', 'CPU time, user and system, in seconds.', (user + system) / 1e6)
    out.single('process_resident_memory_bytes', 'gauge', 'Resident memory in bytes.', memory.rss)
    const started = Math.round(performance.timeOrigin) / 1000
    out.single('process_start_time_seconds', 'gauge', 'Start of the process, in seconds since the epoch.', started)
    out.single('process_open_fds', 'gauge', 'Open file descriptors.', open)
    out.single('process_max_fds', 'gauge', 'Limit of open file descriptors.', limit)
    out.single('nodejs_heap_size_total_bytes', 'gauge', 'Size of the heap in bytes.', memory.heapTotal)
    out.single('nodejs_heap_size_used_bytes', 'gauge', 'Used part of the heap in bytes.', memory.heapUsed)
    out.single('nodejs_external_memory_bytes', 'gauge', 'Memory outside of the heap in bytes.', memory.external)
    out.single('nodejs_array_buffer_bytes', 'gauge', 'Memory of array buffers in bytes.', memory.arrayBuffers)
    this.#eventLoop(out)
    out.single('nodejs_version_info', 'gauge', 'Version of Node.js.', 1, `version="${process.version}"`)
  }

  #eventLoop(out: Exposition): void {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, this.#utilization)
    this.#utilization = now
    out.single(
      'nodejs_eventloop_utilization_ratio',
      'gauge',
      'Busy share of the event loop since the last scrape, from 0 to 1.',
      utilization
    )
    const delay = this.#delay
    if (delay === undefined || delay.count === 0) return
    const help = 'Delay of the event loop since the last scrape, in seconds:'
    out.single('nodejs_eventloop_lag_mean_seconds', 'gauge', `${help} mean.`, lagSeconds(delay.mean))
    out.single('nodejs_eventloop_lag_p50_seconds', 'gauge', `${help} median.`, lagSeconds(delay.percentile(50)))
    out.single(
      'nodejs_eventloop_lag_p99_seconds',
      'gauge',
      `${help} 99th percentile.`,
      lagSeconds(delay.percentile(99))
    )
    out.single('nodejs_eventloop_lag_max_seconds', 'gauge', `${help} maximum.`, lagSeconds(delay.max))
    delay.reset()
  }
}
