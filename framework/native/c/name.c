#define _GNU_SOURCE
#include "name.h"
#include "batch.h"

#include <string.h>

socklen_t name_of(const int32_t *row, union name *name) {
  if (row[ROW_FAMILY] == 0) return 0;
  memset(name, 0, sizeof *name);
  if (row[ROW_FAMILY] == 4) {
    name->four.sin_family = AF_INET;
    name->four.sin_port = htons((uint16_t)row[ROW_PORT]);
    memcpy(&name->four.sin_addr, row + ROW_ADDRESS, 4);
    return sizeof name->four;
  }
  name->six.sin6_family = AF_INET6;
  name->six.sin6_port = htons((uint16_t)row[ROW_PORT]);
  memcpy(&name->six.sin6_addr, row + ROW_ADDRESS, 16);
  name->six.sin6_scope_id = (uint32_t)row[ROW_SCOPE];
  return sizeof name->six;
}

void name_read(const union name *name, int32_t *row) {
  if (name->any.sa_family == AF_INET) {
    row[ROW_FAMILY] = 4;
    row[ROW_PORT] = ntohs(name->four.sin_port);
    memcpy(row + ROW_ADDRESS, &name->four.sin_addr, 4);
  } else if (name->any.sa_family == AF_INET6) {
    row[ROW_FAMILY] = 6;
    row[ROW_PORT] = ntohs(name->six.sin6_port);
    memcpy(row + ROW_ADDRESS, &name->six.sin6_addr, 16);
    row[ROW_SCOPE] = (int32_t)name->six.sin6_scope_id;
  }
}
