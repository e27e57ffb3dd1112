import { type Static, Type } from '@rystra/plugin'

export const DirectOptions = Type.Object({
  ready: Type.Integer({
    default: 8,
    minimum: 0,
    maximum: 1024,
    description:
      'Links that wait for a visitor when it is quiet. Eight hide the dial from a browser that opens six at once.'
  }),
  maxReady: Type.Integer({
    default: 128,
    minimum: 1,
    maximum: 4096,
    description: 'Links that may wait after a burst. The pool doubles when it runs dry and halves when it is not used.'
  }),
  openTimeout: Type.Integer({
    default: 10_000,
    minimum: 100,
    description: 'Milliseconds a stream may wait for a link to be dialed.'
  }),
  shrinkAfter: Type.Integer({
    default: 30_000,
    minimum: 1000,
    description: 'Milliseconds after which a pool that was not needed is halved.'
  })
})
export type DirectOptions = Static<typeof DirectOptions>
