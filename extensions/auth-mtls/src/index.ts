import { defineExtension } from '@rystra/plugin'

export default defineExtension({ name: 'auth-mtls', setup() {} })
