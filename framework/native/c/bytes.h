/* A queue of bytes. */
#ifndef RYSTRA_BYTES_H
#define RYSTRA_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
  uint8_t *memory;
  size_t room, start, end;
};

static inline size_t bytes_left(const struct bytes *bytes) { return bytes->end - bytes->start; }

/* `false` without memory; nothing was changed then. */
bool bytes_append(struct bytes *bytes, const uint8_t *from, size_t size);

/* Removes bytes at the front; gives the memory back with the last. */
void bytes_take(struct bytes *bytes, size_t size);

void bytes_free(struct bytes *bytes);

#endif
