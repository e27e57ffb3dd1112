import { createRequire } from 'node:module'

const { version } = createRequire(import.meta.url)('../package.json') as { version: string }

/** What this server says of itself: software and version. */
export const agent = `rystra/${version}`
