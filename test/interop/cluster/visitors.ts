import http from 'node:http'
import { BIG_BYTES, WEB_PORT } from './scale-world.js'

/** Requests at a time: on a busy machine more would measure their own queue. */
const AT_ONCE = 16
/** Milliseconds for one answer. */
const ANSWER_MS = 4000
/** Milliseconds after which a place that has not answered is waited for beside the others. */
const SLOW_MS = 500
/** Milliseconds before a name that did not answer is asked again. */
const AGAIN_MS = 50

/** A name at one server. */
interface Place {
  readonly server: string
  readonly name: string
}

/** How long names were missing after something had happened. Milliseconds from then. */
export interface Outage {
  /** Until every name had answered once at every server, asking included. */
  readonly all: number
  /** Names that did not answer at first, and when the last of them did; 0 without any. */
  readonly failed: number
  readonly last: number
  readonly wrong: readonly string[]
}

const shuffled = <Item>(items: readonly Item[]): Item[] =>
  items
    .map((item) => [Math.random(), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item)

/** Visitors of all names at all servers, over connections that are kept. */
export class Visitors {
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: AT_ONCE, maxFreeSockets: AT_ONCE })
  answers = 0
  wrong = 0

  /** The body of an answer with status 200. Rejects otherwise. */
  ask({ server, name }: Place, path = '/'): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = {
        host: server,
        port: WEB_PORT,
        path,
        agent: this.#agent,
        timeout: ANSWER_MS,
        headers: { host: name }
      }
      const request = http.get(options, (response) => {
        let [bytes, text] = [0, '']
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes < 1000) text += String(chunk)
        })
        response.on('error', reject)
        response.on('end', () => {
          if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`))
          else resolve(path === '/big' ? String(bytes) : text)
        })
      })
      request.on('timeout', () => request.destroy(new Error('no answer in time')))
      request.on('error', reject)
    })
  }

  /** Asks every name at these servers until each has answered. Gives up after `limit` milliseconds. */
  async outage(servers: readonly string[], names: readonly string[], limit = 60_000): Promise<Outage> {
    const begin = performance.now()
    const now = (): number => Math.round(performance.now() - begin)
    const places = shuffled(servers.flatMap((server) => names.map((name) => ({ server, name }))))
    const wrong: string[] = []
    let [failed, last, reason] = [0, 0, '']
    const settle = async (place: Place): Promise<void> => {
      let missed = false
      for (;;) {
        try {
          const answer = await this.ask(place)
          this.answers += 1
          if (answer !== place.name) {
            this.wrong += 1
            wrong.push(`${place.name} at ${place.server} answered ${answer.slice(0, 80)}`)
          }
          if (missed) last = now()
          return
        } catch (error) {
          if (!missed) failed += 1
          missed = true
          reason = `${place.name} at ${place.server}: ${(error as Error).message}`
          if (now() > limit) throw new Error(`${failed} names failed; after ${limit} ms ${reason}`)
          await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
        }
      }
    }
    const waiting: Promise<void>[] = []
    const worker = async (): Promise<void> => {
      for (let place = places.pop(); place !== undefined; place = places.pop()) {
        const one = settle(place)
        one.catch(() => {})
        waiting.push(one)
        // One that fails is asked again beside the others, which need not wait for it.
        await Promise.race([one.catch(() => {}), new Promise((resolve) => setTimeout(resolve, SLOW_MS))])
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    await Promise.all(waiting)
    return { all: now(), failed, last, wrong }
  }

  /** Median of the time to an answer in milliseconds, one after the other. */
  async latency(place: Place, count: number): Promise<number> {
    const times: number[] = []
    for (let one = 0; one < count; one += 1) {
      const begin = performance.now()
      await this.ask(place)
      times.push(performance.now() - begin)
    }
    return times.sort((a, b) => a - b)[count >> 1] ?? 0
  }

  /** Gbit/s of one answer of many bytes. */
  async rate(place: Place): Promise<number> {
    const begin = performance.now()
    const bytes = Number(await this.ask(place, '/big'))
    if (bytes !== BIG_BYTES) throw new Error(`${bytes} of ${BIG_BYTES} bytes`)
    return (bytes * 8) / 1e6 / (performance.now() - begin)
  }

  close(): void {
    this.#agent.destroy()
  }
}
