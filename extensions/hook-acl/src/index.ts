import { defineExtension } from '@rystra/plugin'

export default defineExtension({ name: 'hook-acl', setup() {} })
