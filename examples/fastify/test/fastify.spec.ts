import { describeApplication } from '../../application.js'
import { expose } from '../src/expose.js'

describeApplication('Fastify', expose)
