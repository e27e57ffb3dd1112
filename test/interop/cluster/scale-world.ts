/** Where servers accept clients, and visitors. */
export const CLIENT_PORT = 7000
export const WEB_PORT = 8080

/** Milliseconds for streams of a server that stops. */
export const DRAIN_MS = 3000

export const tenants = [
  { identity: 'one', token: 'a-token-of-the-first-tenant' },
  { identity: 'two', token: 'a-token-of-the-second-tenant' }
] as const

/** Names of client `index`; odd ones are of the second tenant. */
export const namesOf = (index: number, each: number): string[] =>
  Array.from({ length: each }, (_, one) => `n${one}.c${index}.${tenants[index % 2]?.identity}.example.org`)

/** Bytes of the answer to `/big`. */
export const BIG_BYTES = 64 * 1024 * 1024
