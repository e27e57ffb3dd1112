/** Parts of a configuration of the server that differ from step to step. */
export interface ServerChange {
  readonly extensions: readonly object[]
  readonly server: object
}

/** Kinds of changes that come in turn, on top of what is always there. */
const serverKinds: readonly ((step: number) => Partial<ServerChange>)[] = [
  (step) => ({ server: { heartbeat: { interval: `${20 + (step % 10)}s`, timeout: '60s' } } }),
  (step) => ({ server: { limits: { sessions: 1000 + step, streamsPerSession: 5000 + step } } }),
  (step) => ({
    extensions: [{ use: '@rystra/hook-rate', options: { rules: [{ per: 'total', streams: `${10_000 + step}/s` }] } }]
  }),
  (step) => ({
    extensions: [
      { use: '@rystra/hook-acl', options: { default: 'allow', tenants: { [`t${step}`]: ['other'] }, rules: [] } }
    ]
  }),
  (step) => ({ server: { drain: `${10 + (step % 5)}s` } }),
  () => ({})
]

/** What a step has beside the parts that never change. */
export const serverChanges = (step: number): Partial<ServerChange> =>
  (serverKinds[step % serverKinds.length] as (typeof serverKinds)[number])(step)

/** Proxies of the client beside those that never change, and fields of its http proxy. */
export interface ClientChange {
  readonly proxies: readonly object[]
  readonly web: object
}

const clientKinds: readonly ((step: number) => Partial<ClientChange>)[] = [
  (step) => ({ web: { responseHeaders: { set: { 'x-step': String(step) } } } }),
  (step) => ({ proxies: [{ name: `more-${step}`, kind: 'tcp', local: 9 }] }),
  (step) => ({
    web: { requestHeaders: { set: { 'x-step': String(step) } } },
    proxies: [{ name: 'other', kind: 'http', local: 9, subdomain: `s${step}` }]
  }),
  () => ({})
]

/** What a step has beside the parts that never change. */
export const clientChanges = (step: number): Partial<ClientChange> =>
  (clientKinds[step % clientKinds.length] as (typeof clientKinds)[number])(step)
