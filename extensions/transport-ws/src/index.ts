import { defineExtension } from '@rystra/plugin'

export default defineExtension({ name: 'transport-ws', setup() {} })
