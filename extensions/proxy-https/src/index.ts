import { defineExtension } from '@rystra/plugin'

export default defineExtension({ name: 'proxy-https', setup() {} })
