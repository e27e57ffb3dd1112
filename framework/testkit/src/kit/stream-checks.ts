import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { Random } from '../random.js'
import type { Scope } from './scope.js'
import { pause } from './scope.js'
import { flood, Inbox, reset, send } from './streams.js'

/** Two ends of one stream. */
export type Ends = readonly [near: Duplex, far: Duplex]

/** From nothing to what no buffer holds at once. */
export const SIZES = [0, 1, 15, 16_384, 65_535, 65_537, 8 * 1_048_576]

const KIB = 1_024

/** Sends `count` bytes each way at once, with an end after them, and checks every one. */
export const carriesWhole = async (
  scope: Scope,
  [near, far]: Ends,
  count: number,
  chunk?: number | (() => number)
): Promise<void> => {
  const [atNear, atFar] = [new Inbox(near, count + 1), new Inbox(far, 7)]
  send(near, 7, count, { chunk })
  send(far, count + 1, count, { chunk })
  await Promise.all([atFar.cameWhole(scope, count, 'the far end'), atNear.cameWhole(scope, count, 'the near end')])
}

/** Writes in pieces of all sizes. */
export const carriesPieces = (scope: Scope, ends: Ends, seed: number): Promise<void> => {
  const random = new Random(seed)
  const sizes = [1, 2, 3, 100, 1_460, 16_384, 65_536, 100_000]
  return carriesWhole(scope, ends, 600_000, () => sizes[random.below(sizes.length)] as number)
}

/** One end asks and ends; the other answers late. */
export const answersLate = async (scope: Scope, [near, far]: Ends): Promise<void> => {
  const [atNear, atFar] = [new Inbox(near, 3), new Inbox(far, 1)]
  send(near, 1, 1_000)
  await atFar.cameWhole(scope, 1_000, 'who is asked')
  // a transport that destroys a stream when it is ended passes if the answer is at once
  await pause(25)
  assert.ok(
    !atNear.closed,
    `the requester was closed before the answer${atNear.error ? `: ${atNear.error.message}` : ''}`
  )
  send(far, 3, 200 * KIB)
  await atNear.cameWhole(scope, 200 * KIB, 'the requester')
}

/** Both ends say that they are done: no error, and the streams close. */
export const closesCleanly = async (scope: Scope, [near, far]: Ends): Promise<void> => {
  const boxes = [new Inbox(near, 0), new Inbox(far, 0)] as const
  send(near, 0, 10)
  send(far, 0, 10)
  await Promise.all(boxes.map((box) => box.cameWhole(scope, 10, 'an end')))
  await scope.until(() => boxes.every(({ closed }) => closed), 'both ends to close after both said that they are done')
  for (const { error } of boxes) assert.equal(error, undefined, `a clean close gave an error: ${error?.message}`)
}

/** One end gives up in the middle of a transfer: the other sees a reset. */
export const showsReset = async (scope: Scope, [from, to]: Ends): Promise<void> => {
  from.on('error', () => {})
  const box = new Inbox(to, 0)
  send(from, 0, 1_000, { end: false })
  await box.bytesCame(scope, 1_000, 'the other end')
  reset(from)
  await box.cameReset(scope, 'the other end')
}

/** A writer is held back by a reader that does not read; once it reads, nothing is missing. */
export const holdsBack = async (scope: Scope, [near, far]: Ends, limit: number): Promise<void> => {
  near.on('error', () => {})
  const box = new Inbox(far, 5, { reading: false })
  const state = flood(near, 5, limit)
  await scope.still(() => state.taken)
  const { taken } = state
  assert.ok(taken < limit, `${taken} bytes were taken for a reader that does not read`)
  box.read()
  await box.bytesCame(scope, limit, 'the reader, once it read')
  near.end()
  await box.cameWhole(scope, limit, 'the reader')
}
