import { extensionKit } from '@rystra/testkit'
import hookRewrite from '../src/index.js'

const heads = (head: object) => ({ rules: [{ heads: [{ on: 'request', ...head }] }] })
const bytes = (find: unknown, replace: unknown = 'x') => ({
  rules: [{ bytes: [{ direction: 'toService', find, replace }] }]
})
const replace = (change: object) => heads({ replace: [{ header: 'x-a', with: '', ...change }] })

extensionKit(
  {
    use: hookRewrite({
      rules: [
        {
          heads: [{ on: 'request', set: { 'x-a': 'b' } }],
          bytes: [{ direction: 'toService', find: 'a', replace: 'b' }]
        }
      ]
    }),
    invalid: {
      'no pattern': replace({ pattern: '(' }),
      'an empty pattern': replace({ pattern: '' }),
      'a pattern with look-ahead': replace({ pattern: 'a(?=b)' }),
      'a pattern with a back-reference': replace({ pattern: '(a)\\1' }),
      'a pattern that is too long': replace({ pattern: 'a'.repeat(1001) }),
      'a pattern that repeats beyond measure': replace({ pattern: '((a{100}){100}){100}' }),
      'all matches of nothing': replace({ pattern: 'x*', all: true }),
      'a name that is not valid': heads({ set: { 'a b': 'c' } }),
      'an empty name': heads({ set: { '': 'c' } }),
      'a name to remove that is not valid': heads({ remove: ['a:b'] }),
      'a name to replace in that is not valid': heads({ replace: [{ header: 'a\r\nb', pattern: 'a', with: 'b' }] }),
      'a value that would be two headers': heads({ set: { 'x-a': 'a\r\nx-b: c' } }),
      'a value to add that would be two headers': heads({ add: { 'x-a': 'a\nb' } }),
      'the length of the body': heads({ set: { 'Content-Length': '5' } }),
      'the framing of the body': heads({ add: { 'transfer-encoding': 'chunked' } }),
      'the framing of the body, taken out': heads({ remove: ['Transfer-Encoding'] }),
      'the framing of the body, replaced': heads({ replace: [{ header: 'content-length', pattern: '5', with: '6' }] }),
      'a second Host': heads({ add: { Host: 'b' } }),
      'the target of a response': { rules: [{ heads: [{ on: 'response', target: { pattern: 'a', with: 'b' } }] }] },
      'a moment that is not valid': { rules: [{ heads: [{ on: 'trailer' }] }] },
      'nothing to find': bytes(''),
      'no bytes to find': bytes({ hex: '' }),
      'half a byte': bytes({ hex: 'abc' }),
      'what is no byte': bytes({ hex: 'zz' }),
      'too much to find': bytes('a'.repeat(4097)),
      'too much to put there': bytes('a', 'b'.repeat(65_537)),
      'a misspelt rule': { rules: [{ byte: [] }] },
      'a direction that is not valid': { rules: [{ bytes: [{ direction: 'up', find: 'a', replace: 'b' }] }] }
    }
  },
  { title: 'hook-rewrite as an extension' }
)
