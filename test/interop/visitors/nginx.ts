import os from 'node:os'
import { loopback } from '../../bench/address.js'
import { freePort } from './free-port.js'
import { needed } from '../../bench/peer.js'
import type { Scratch } from '../../bench/scratch.js'
import { untilListens } from './until-listens.js'

/** Starts nginx with one server on a free port. `server` is what stands in it, `http` what stands beside it, `listen` what is said behind its port. */
export const startNginx = async (
  scratch: Scratch,
  name: string,
  server: string,
  http = '',
  listen = ''
): Promise<number> => {
  const port = await freePort()
  const { dir } = scratch
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (one) => `${one}_temp_path ${dir}/${name}-${one};`
  )
  const file = scratch.write(
    `${name}.conf`,
    `daemon off;
user ${os.userInfo().username};
worker_processes 1;
pid ${dir}/${name}.pid;
error_log ${dir}/${name}-error.log;
events { worker_connections 4096; }
http {
  ${temporary.join(' ')}
  access_log off;
  keepalive_requests 100000000;
  ${http}
  server {
    listen ${loopback}:${port} backlog=2048${listen};
    ${server}
  }
}
`
  )
  scratch.start(needed('nginx'), ['-c', file, '-p', dir, '-e', `${dir}/${name}-error.log`])
  await untilListens(port)
  return port
}
