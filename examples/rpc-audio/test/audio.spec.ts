import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { decodeWav, encodeWav, makeTone } from '../src/wav.js'

const here = path.resolve(import.meta.dirname, '..')

describe('audio over a bad line', () => {
  it('is heard but for what was lost or late, and in its place', async () => {
    const source = process.env['RYSTRA_TEST_BUILT'] === '1' ? [] : ['--conditions=rystra-source']
    const dir = await mkdtemp(path.join(tmpdir(), 'rystra-audio-'))
    const to = path.join(dir, 'heard.wav')
    try {
      const program = spawn(process.execPath, [...source, '--import=tsx', 'src/main.ts', to], {
        cwd: here
      })
      const [out, errors, [code]] = await Promise.all([
        text(program.stdout),
        text(program.stderr),
        once(program, 'exit')
      ])
      expect(errors, 'stderr').equal('')
      expect(code, 'exit code').equal(0)
      const [, received = 0, mode, lost = 0, late = 0] =
        /heard (\d+) frames in (\w+): (\d+) lost, (\d+) late/.exec(out) ?? []
      expect(mode, out).equal('datagrams')
      // 150 frames, of which the line loses 2 %.
      expect(Number(received), out).to.be.within(130, 150)
      expect(Number(/within ([\d.]+) ms/.exec(out)?.[1]), out).to.be.below(30)
      const [said, heard] = [makeTone(3), decodeWav(await readFile(to))]
      const same = heard.filter((sample, index) => sample === said[index]).length
      // How many come too late is up to the machine; all others are in their place.
      const missing = (Number(lost) + Number(late)) / 150
      expect(same / said.length, `part that is heard, of what came in time\n${out}`).to.be.above(0.99 - missing)
    } finally {
      await rm(dir, { recursive: true })
    }
  })

  it('takes WAV files of one format, and refuses others', () => {
    const tone = makeTone(1)
    expect(decodeWav(encodeWav(tone))).deep.equal(tone)
    const stereo = encodeWav(tone)
    stereo.writeUInt16LE(2, 22)
    expect(() => decodeWav(stereo)).throws(TypeError, 'one channel')
    expect(() => decodeWav(Buffer.alloc(3))).throws(TypeError)
  })
})
