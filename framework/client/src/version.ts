import { createRequire } from 'node:module'

const { version } = createRequire(import.meta.url)('../package.json') as { version: string }

/** What this client says of itself: software and version. */
export const agent = `rystra/${version}`
