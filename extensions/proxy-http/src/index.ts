import { defineExtension } from '@rystra/plugin'

export default defineExtension({ name: 'proxy-http', setup() {} })
