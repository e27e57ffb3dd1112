import type { Peer } from '../peer.js'
import { bore } from './bore.js'
import { chisel } from './chisel.js'
import { direct } from './direct.js'
import { frpDefault, frpMux, frpNoMux } from './frp.js'
import { haproxy } from './haproxy.js'
import { rathole } from './rathole.js'
import { rystraDirect, rystraTransports, rystraYamux } from './rystra.js'
import { ssh } from './ssh.js'
import { stunnels } from './stunnel.js'

/** Ours, in the order of the table. */
export const own: readonly Peer[] = [rystraDirect, rystraYamux, ...rystraTransports]

/** What everything is set against. */
export const baseline: Peer = direct

/** Others', each used if it is installed. */
export const others: readonly Peer[] = [haproxy, rathole, bore, frpNoMux, frpMux, frpDefault, chisel, ssh, stunnels]
