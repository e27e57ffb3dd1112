#include "bytes.h"

#include <stdlib.h>
#include <string.h>

enum { MIN_ROOM = 1024 };

bool bytes_append(struct bytes *bytes, const uint8_t *from, size_t size) {
  if (size == 0) return true;
  const size_t left = bytes_left(bytes);
  if (bytes->end + size > bytes->room && bytes->start > 0) {
    memmove(bytes->memory, bytes->memory + bytes->start, left);
    bytes->start = 0;
    bytes->end = left;
  }
  if (left + size > bytes->room) {
    size_t room = bytes->room < MIN_ROOM ? MIN_ROOM : bytes->room;
    while (room < left + size) room *= 2;
    uint8_t *memory = realloc(bytes->memory, room);
    if (memory == NULL) return false;
    bytes->memory = memory;
    bytes->room = room;
  }
  memcpy(bytes->memory + bytes->end, from, size);
  bytes->end += size;
  return true;
}

void bytes_take(struct bytes *bytes, size_t size) {
  bytes->start += size;
  if (bytes->start == bytes->end) bytes_free(bytes);
}

void bytes_free(struct bytes *bytes) {
  free(bytes->memory);
  *bytes = (struct bytes){0};
}
