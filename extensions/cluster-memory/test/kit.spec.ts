import { directoryKit } from '@rystra/testkit'
import { memorySubject } from './subject.js'

directoryKit(memorySubject())
