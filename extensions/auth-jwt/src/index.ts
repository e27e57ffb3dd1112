import { defineExtension } from '@rystra/plugin'

export default defineExtension({ name: 'auth-jwt', setup() {} })
