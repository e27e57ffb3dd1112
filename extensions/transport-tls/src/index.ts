import { defineExtension } from '@rystra/plugin'

export default defineExtension({ name: 'transport-tls', setup() {} })
