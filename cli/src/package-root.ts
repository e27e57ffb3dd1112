import { fileURLToPath } from 'node:url'

/** The folder of this package, in a checkout and where it is installed. */
export const packageRoot = fileURLToPath(new URL('..', import.meta.url))
