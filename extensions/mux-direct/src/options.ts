import { type Static, Type } from '@rystra/plugin'

export const DirectOptions = Type.Object({
  ready: Type.Integer({
    default: 8,
    minimum: 0,
    maximum: 1024,
    description:
      'Idle links kept in the pool at least. Default: 8, more than the connections that a browser opens at once.'
  }),
  maxReady: Type.Integer({
    default: 128,
    minimum: 1,
    maximum: 4096,
    description: 'Maximum of idle links: the pool doubles when it is empty and halves when it is unused. Default: 128.'
  }),
  openTimeout: Type.Integer({
    default: 10_000,
    minimum: 100,
    description: 'Milliseconds until a link must be dialed for a stream. Default: 10000.'
  }),
  shrinkAfter: Type.Integer({
    default: 30_000,
    minimum: 1000,
    description: 'Milliseconds after which an unused pool is halved. Default: 30000.'
  })
})
export type DirectOptions = Static<typeof DirectOptions>
