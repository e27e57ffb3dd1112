import { defineExtension } from '@rystra/plugin'

export default defineExtension({ name: 'hook-rewrite', setup() {} })
