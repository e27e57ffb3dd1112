import { defineExtension } from '@rystra/plugin'

export default defineExtension({ name: 'transport-http2', setup() {} })
