/* System calls of a UDP socket, many datagrams a call. No Node here. */
#ifndef RYSTRA_BATCH_H
#define RYSTRA_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Columns of a row: one datagram to send, or one message received. src/rows.ts has the same. */
enum {
  ROW_OFFSET,      /* to send: where the datagram begins */
  ROW_LENGTH,      /* bytes */
  ROW_EXTRA,       /* received: size of the datagrams that the kernel coalesced, 0: one; sent: errno of a failure */
  ROW_FAMILY,      /* 4 or 6; to send also 0: the connected peer */
  ROW_PORT,
  ROW_ADDRESS,     /* four words in network order; IPv4 has the first */
  ROW_SCOPE = 9,   /* interface of a link-local address, or 0 */
  ROW_COLUMNS
};

enum {
  MAX_ROWS = 128,                /* datagrams of one send */
  MAX_MESSAGES = 16,             /* messages of one receive */
  MESSAGE_BYTES = 65536          /* memory of each: the kernel coalesces up to 64 KiB */
};

/* Sends rows. Returns how many are done with; fewer than `count` when the kernel accepts no more. Failures are written
   to ROW_EXTRA and counted in `failed`. `segment` is cleared when the socket cannot segment. */
int batch_send(int fd, bool *segment, const uint8_t *memory, size_t size, int32_t *rows, int count, int *failed);

/* Receives into `memory` (MAX_MESSAGES * MESSAGE_BYTES) and `rows`. Returns the number of messages, or -errno. */
int batch_receive(int fd, uint8_t *memory, int32_t *rows);

/* Whether every row lies within `size` bytes. */
bool batch_valid(const int32_t *rows, int count, size_t size);

#endif
