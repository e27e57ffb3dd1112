import { defineExtension, Type } from '@rystra/plugin'

export default defineExtension({
  name: 'office-hours',
  options: Type.Object({
    from: Type.Integer({ default: 9, minimum: 0, maximum: 23, description: 'The hour of the day that opens' }),
    to: Type.Integer({ default: 17, minimum: 1, maximum: 24, description: 'The hour of the day that closes' })
  }),
  setup({ hooks, options: { from, to }, clock }) {
    hooks.onOpenStream.tap(({ proxy }) => {
      const hour = new Date(clock.now()).getHours()
      // From 22 to 6 is a night.
      const open = from < to ? from <= hour && hour < to : from <= hour || hour < to
      return open ? undefined : { deny: `${proxy.name} is closed now` }
    })
  }
})
