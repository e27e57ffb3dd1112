/** Reads in a row that would have fitted well into the common buffer, after which a slab is given back. */
export const SMALL_READ = 16 * 1024
export const SMALL_READS = 8

/** What is read at once, and copied where it has to wait, while as many slabs are held by stalled streams as may be. */
export const CROWDED_READ = 256 * 1024

/** Copies waiting to be sent, in bytes, at which a writer has to wait: as much as fits one read of a quiet socket. */
export const WRITE_LIMIT = 64 * 1024

/** What may be read ahead to notice a reset, in bytes. */
export const WATCH_LIMIT = 64 * 1024
