/** A host and path that is published, and what is asked to come there. */
export interface HostPlace {
  readonly form: 'exact' | 'wildcard' | 'path'
  readonly host: string
  readonly path: string
  readonly requestHost: string
  readonly requestPath: string
}

/** Of ten, eight are plain hosts, one is a wildcard, one is below a path. */
export const placesOf = (from: number, to: number): HostPlace[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, more) => {
    const index = from + more
    const name = `app${index}.team${index % 97}.bench.test`
    const exact = { form: 'exact', host: name, path: '/', requestHost: name, requestPath: '/index.html' } as const
    if (index % 10 === 8) return { ...exact, form: 'wildcard', host: `*.${name}`, requestHost: `any.${name}` }
    if (index % 10 === 9) return { ...exact, form: 'path', path: '/docs/api', requestPath: '/docs/api/v1/users' }
    return exact
  })
