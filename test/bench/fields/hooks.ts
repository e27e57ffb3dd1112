import { untilEchoes } from '../address.js'
import type { Field } from '../field.js'
import { hooked } from '../peers/rystra.js'
import { bulk } from './streams.js'

const rate = '@rystra/hook-rate'
/** Far above what the machine can do. */
const plenty = '1000GB'

/** No tap concerns the proxy. */
const none = hooked('none', 'no hook', 'direct', () => [])

/** One stream of bytes through proxy-tcp, with hooks on the server that have nothing, little or much to do with it. */
export const hooks: Field = {
  name: 'hooks',
  measures: ['hooks'],
  baseline: none,
  own: [
    hooked('elsewhere', 'hook-rate, about another proxy', 'direct', () => [
      { use: rate, options: { rules: [{ per: 'visitor', proxies: ['another'], bytesToService: '1MB' }] } }
    ]),
    hooked('rate', 'hook-rate: bytes both ways by visitor, a limit never reached', 'direct', () => [
      { use: rate, options: { rules: [{ per: 'visitor', bytesToService: plenty, bytesToVisitor: plenty }] } }
    ]),
    hooked('audit', 'hook-audit, to a file', 'direct', (dir) => [
      { use: '@rystra/hook-audit', options: { to: { file: `${dir}/audit/audit.ndjson` } } }
    ]),
    hooked('rewrite', 'hook-rewrite: a search that finds nothing, both ways', 'direct', () => [
      {
        use: '@rystra/hook-rewrite',
        options: {
          rules: [
            {
              bytes: ['toService', 'toVisitor'].map((direction) => ({
                direction,
                find: 'never there',
                replace: 'nothing'
              }))
            }
          ]
        }
      }
    ]),
    hooked('yamux-none', 'no hook, mux-yamux', 'yamux', () => []),
    hooked('yamux-rate', 'hook-rate as above, mux-yamux', 'yamux', () => [
      { use: rate, options: { rules: [{ per: 'visitor', bytesToService: plenty, bytesToVisitor: plenty }] } }
    ])
  ],
  others: [],
  open: (load) => load.service.call<number>('listen'),
  ready: (address, _way, _load, signal) => untilEchoes(address, signal),
  once: bulk
}
