import { readdirSync } from 'node:fs'
import { type Logger, silentLog } from '@rystra/model'
import { Random } from '@rystra/testkit'
import { describeSteps, play, stepsOf } from './case.js'
import type { Face } from './face.js'
import { openWorld, type World } from './faces.js'

/** How long, and what. */
export interface FuzzOptions {
  /** Ends after so many seconds, and after one round at the earliest. */
  readonly seconds: number
  readonly seed: number
  /** Only the faces of these names, separated by commas. @default all */
  readonly face?: string | undefined
  /** Called for each round. */
  readonly onRound?: (seed: number) => void
}

interface Case {
  readonly face: Face
  readonly seed: number
}

/** Cases of one round on each face. They are played at once; then what they left behind is counted. */
const CASES_PER_FACE = 8

/** Milliseconds after a round until every descriptor it opened has to be closed again. */
const SETTLE_MS = 60_000

/** Milliseconds that a case may take. */
const CASE_TIMEOUT_MS = 5000

const descriptors = (): number => readdirSync('/proc/self/fd').length

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Plays random cases on each face. Rejects with the seed and the case at the first fault; resolves with the count. */
export const fuzz = async ({ seconds, seed, face: only, onRound }: FuzzOptions): Promise<number> => {
  const faults: unknown[] = []
  const fault = (error: unknown): void => void faults.push(error)
  const logged = (fields: unknown, message?: string): void => {
    const { err } = fields as { err?: unknown }
    // A load balancer that sends no header is an error of the configuration, logged once in ten seconds.
    if (err instanceof RangeError && err.message.includes('PROXY protocol')) return
    fault(err ?? new Error(message ?? String(fields)))
  }
  const log: Logger = { ...silentLog, error: logged, child: () => log }
  const world = await openWorld(log)
  process.on('uncaughtException', fault)
  try {
    const faces = world.faces.filter(({ name }) => only === undefined || only.split(',').includes(name))
    if (faces.length === 0) throw new Error(`no face ${only}: ${world.faces.map(({ name }) => name).join(', ')}`)
    const player = new Player(world, faults)
    await world.check()
    const until = Date.now() + seconds * 1000
    let played = 0
    do {
      const first = seed + played
      onRound?.(first)
      const cases = Array.from({ length: CASES_PER_FACE * faces.length }, (_, index) => ({
        face: faces[index % faces.length] as Face,
        seed: first + Math.floor(index / faces.length)
      }))
      const found = await player.play(cases)
      if (found !== undefined) throw await player.narrow(cases, found)
      played += CASES_PER_FACE
    } while (Date.now() < until)
    return played * faces.length
  } finally {
    await world.close()
    process.off('uncaughtException', fault)
  }
}

class Player {
  readonly #world: World
  readonly #faults: unknown[]

  constructor(world: World, faults: unknown[]) {
    this.#world = world
    this.#faults = faults
  }

  /** Plays cases at once. Resolves with what went wrong. */
  async play(cases: readonly Case[]): Promise<unknown> {
    const before = { descriptors: descriptors(), connections: this.#connections }
    const random = new Random(cases[0]?.seed ?? 0)
    const played = cases.map(({ face, seed }) => {
      this.#world.sendDatagram(random)
      // A case that cannot connect has found something: what follows says what.
      return Promise.race([play(stepsOf(seed, face), face).catch(() => {}), pause(CASE_TIMEOUT_MS)])
    })
    await Promise.all(played)
    const lost = await this.#settled(before)
    const unserved = await this.#world.check().catch((error: Error) => error)
    return this.#faults.splice(0)[0] ?? lost ?? unserved
  }

  /** The case that shows the fault alone, or as few as do together. */
  async narrow(cases: readonly Case[], found: unknown): Promise<Error> {
    const half = Math.ceil(cases.length / 2)
    for (const part of cases.length === 1 ? [] : [cases.slice(0, half), cases.slice(half)]) {
      const again = await this.play(part)
      if (again !== undefined) return this.narrow(part, again)
    }
    const descriptions = cases.map(
      ({ face, seed }) => `--face ${face.name} --seed ${seed}: ${describeSteps(stepsOf(seed, face))}`
    )
    return new Error(`${String(found)}\n${descriptions.join('\n')}`, { cause: found })
  }

  get #connections(): number {
    return Object.values(this.#world.connections()).reduce((sum, one) => sum + one, 0)
  }

  /** Waits until nothing of a round is open any more. */
  async #settled(before: { descriptors: number; connections: number }): Promise<Error | undefined> {
    const deadline = Date.now() + SETTLE_MS
    for (;;) {
      const [now, open] = [descriptors(), this.#connections]
      if (now <= before.descriptors && open <= before.connections) return undefined
      if (Date.now() > deadline) {
        const lost = `${now - before.descriptors} descriptors, ${open - before.connections} accepted connections`
        return new Error(`not closed: ${lost} (${JSON.stringify(this.#world.connections())})`)
      }
      await pause(20)
    }
  }
}
