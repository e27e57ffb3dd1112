import { defineExtension } from '@rystra/plugin'

export default defineExtension({ name: 'transport-quic', setup() {} })
