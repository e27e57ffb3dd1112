import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { freePort, loopback, show } from '../address.js'
import { needed, type Peer } from '../peer.js'
import { untilSays } from '../scratch.js'

/**
 * As root, sshd wants a folder that only the service of the system makes. Where it is not there, sshd gets a /run of its own, which
 * no other process sees and which is gone with it.
 */
export const withRun = (file: string, args: readonly string[]): [string, string[]] => {
  if (os.userInfo().uid !== 0 || existsSync('/run/sshd')) return [file, [...args]]
  const script = 'mount -t tmpfs none /run && mkdir /run/sshd && exec "$0" "$@"'
  return [needed('unshare'), ['--mount', 'sh', '-c', script, file, ...args]]
}

/** `ssh -R` to an sshd of our own: keys made for the occasion, on loopback, nothing of the machine's used or changed. */
export const ssh: Peer = {
  name: 'ssh',
  title: 'ssh -R, OpenSSH as it comes',
  programs: ['ssh', 'sshd', 'ssh-keygen'],
  async start(service, scratch) {
    const { dir } = scratch
    for (const name of ['ssh-host', 'ssh-user']) {
      execFileSync(needed('ssh-keygen'), ['-q', '-t', 'ed25519', '-N', '', '-f', path.join(dir, name)])
    }
    const { username, uid } = os.userInfo()
    const port = await freePort()
    const config = scratch.write(
      'sshd.conf',
      `ListenAddress ${loopback}:${port}
HostKey ${dir}/ssh-host
AuthorizedKeysFile ${dir}/ssh-user.pub
PidFile none
StrictModes no
UsePAM ${uid === 0 ? 'yes' : 'no'}
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowTcpForwarding remote
`
    )
    const server = scratch.start(...withRun(needed('sshd'), ['-D', '-e', '-f', config]))
    await untilSays(server, /Server listening/)
    const options = [
      'ExitOnForwardFailure=yes',
      'BatchMode=yes',
      'StrictHostKeyChecking=no',
      `UserKnownHostsFile=${dir}/ssh-hosts`
    ].flatMap((option) => ['-o', option])
    const forward = ['-N', '-R', `${loopback}:0:${show(service)}`]
    const login = ['-i', `${dir}/ssh-user`, '-p', String(port), `${username}@${loopback}`]
    const client = scratch.start(needed('ssh'), ['-F', 'none', ...options, ...forward, ...login])
    const match = await untilSays(client, /Allocated port (\d+)/)
    return { address: { host: loopback, port: Number(match[1]) }, pids: [server.pid, client.pid] }
  }
}
