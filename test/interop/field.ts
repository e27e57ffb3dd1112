/**
 * What broke in the field elsewhere, tried with the real command: gRPC, HTTP/2 by hand, proxies with short time-outs in front and behind,
 * supervision, clocks that are wrong, full disks, limits under load, an author with the published packages. Not part of `npm test`: it needs Debian
 * packages, some of it root, and says aloud what it did not find.
 *
 *     npm run interop:field              # needs a build
 *     npm run interop:field -- grpc h2   # some of it
 */
import { author } from './field/author.js'
import { clock } from './field/clock.js'
import { comingBack } from './field/coming-back.js'
import { fullDisk } from './field/full-disk.js'
import { fullState } from './field/full-state.js'
import { grpcCalls } from './field/grpc.js'
import { http2Frames } from './field/http2-frames.js'
import { limits } from './field/limits.js'
import { proxies } from './field/proxies.js'
import { supervision } from './field/supervision.js'
import { runTrials } from './visitors/run-trials.js'

process.exit(
  await runTrials([
    grpcCalls,
    http2Frames,
    proxies,
    supervision,
    comingBack,
    clock,
    fullDisk,
    fullState,
    limits,
    author
  ])
)
