import { defineExtension } from '@rystra/plugin'
import { FrameLink } from './link.ts'

/** Carries many streams on one link: frames, each with the number of its stream. */
export default defineExtension({
  name: 'my-extension',
  setup({ registries }) {
    registries.muxers.add({ name: 'my-word', wrap: (link, side) => new FrameLink(link, side) })
  }
})
