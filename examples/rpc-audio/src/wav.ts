/** Samples of one channel, 16 bits each. */
export const SAMPLE_RATE = 8000
const HEAD_BYTES = 44
const SAMPLE_BYTES = 2

/** A WAV file of these samples. */
export const encodeWav = (samples: Int16Array): Buffer => {
  const bytes = samples.length * SAMPLE_BYTES
  const wav = Buffer.alloc(HEAD_BYTES + bytes)
  wav.write('RIFF', 0, 'latin1')
  wav.writeUInt32LE(HEAD_BYTES - 8 + bytes, 4)
  wav.write('WAVEfmt ', 8, 'latin1')
  wav.writeUInt32LE(16, 16)
  wav.writeUInt16LE(1, 20)
  wav.writeUInt16LE(1, 22)
  wav.writeUInt32LE(SAMPLE_RATE, 24)
  wav.writeUInt32LE(SAMPLE_RATE * SAMPLE_BYTES, 28)
  wav.writeUInt16LE(SAMPLE_BYTES, 32)
  wav.writeUInt16LE(8 * SAMPLE_BYTES, 34)
  wav.write('data', 36, 'latin1')
  wav.writeUInt32LE(bytes, 40)
  for (const [index, sample] of samples.entries()) wav.writeInt16LE(sample, HEAD_BYTES + index * SAMPLE_BYTES)
  return wav
}

/** The samples of a file that {@link encodeWav} made. Throws a `TypeError` for any other format. */
export const decodeWav = (wav: Buffer): Int16Array => {
  const count = Math.floor((wav.length - HEAD_BYTES) / SAMPLE_BYTES)
  const head = wav.subarray(0, HEAD_BYTES)
  if (count < 0 || !head.equals(encodeWav(new Int16Array(count)).subarray(0, HEAD_BYTES)))
    throw new TypeError(`expected a WAV of one channel, 16 bits and ${SAMPLE_RATE} samples a second`)
  return Int16Array.from({ length: count }, (_, index) => wav.readInt16LE(HEAD_BYTES + index * SAMPLE_BYTES))
}

/** A tone that rises, so that what is missing or in the wrong place is heard. */
export const makeTone = (seconds: number): Int16Array =>
  Int16Array.from({ length: seconds * SAMPLE_RATE }, (_, index) => {
    const time = index / SAMPLE_RATE
    return 8000 * Math.sin(2 * Math.PI * (220 + 110 * time) * time)
  })
