#define _GNU_SOURCE
#include "batch.h"
#include "name.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#define SEGMENT_SIZE 103 /* UDP_SEGMENT */
#define COALESCED 104    /* UDP_GRO */

enum {
  MAX_SEGMENTS = 64,     /* of one datagram that the kernel cuts: the limit of older kernels */
  MAX_TOTAL = 65000      /* bytes of those, below the limit of IPv4 */
};

struct control {
  _Alignas(struct cmsghdr) char bytes[CMSG_SPACE(sizeof(int))];
};

bool batch_valid(const int32_t *rows, int count, size_t size) {
  for (int i = 0; i < count; i++, rows += ROW_COLUMNS) {
    const int32_t offset = rows[ROW_OFFSET], length = rows[ROW_LENGTH], family = rows[ROW_FAMILY];
    if (offset < 0 || length < 0 || (size_t)offset > size || (size_t)length > size - (size_t)offset) return false;
    if ((family != 0 && family != 4 && family != 6) || rows[ROW_PORT] < 0 || rows[ROW_PORT] > 65535) return false;
  }
  return true;
}

/* How many rows from the first on go out as one: same peer and size, the last may be shorter. */
static int run_of(const int32_t *rows, int count) {
  const int32_t *first = rows;
  const int32_t size = first[ROW_LENGTH];
  int32_t total = size;
  int run = 1;
  if (size == 0) return 1;
  while (run < count && run < MAX_SEGMENTS) {
    const int32_t *row = rows + run * ROW_COLUMNS;
    const int32_t length = row[ROW_LENGTH];
    if (length == 0 || length > size || total + length > MAX_TOTAL) break;
    if (memcmp(row + ROW_FAMILY, first + ROW_FAMILY, (ROW_COLUMNS - ROW_FAMILY) * sizeof *row) != 0) break;
    total += length;
    run++;
    if (length < size) break;
  }
  return run;
}

static void segmented(struct msghdr *message, struct control *control, int32_t size) {
  const uint16_t value = (uint16_t)size;
  memset(control, 0, sizeof *control);
  message->msg_control = control;
  message->msg_controllen = CMSG_SPACE(sizeof value);
  struct cmsghdr *head = CMSG_FIRSTHDR(message);
  head->cmsg_level = SOL_UDP;
  head->cmsg_type = SEGMENT_SIZE;
  head->cmsg_len = CMSG_LEN(sizeof value);
  memcpy(CMSG_DATA(head), &value, sizeof value);
}

int batch_send(int fd, bool *segment, const uint8_t *memory, size_t size, int32_t *rows, int count, int *failed) {
  struct mmsghdr messages[MAX_ROWS];
  struct iovec parts[MAX_ROWS];
  union name names[MAX_ROWS];
  struct control controls[MAX_ROWS];
  int runs[MAX_ROWS];
  int done = 0;
  *failed = 0;
  if (count > MAX_ROWS || !batch_valid(rows, count, size)) return -EINVAL;
  while (done < count) {
    int made = 0;
    for (int at = done; at < count; made++) {
      int32_t *row = rows + at * ROW_COLUMNS;
      const int run = *segment ? run_of(row, count - at) : 1;
      struct msghdr *message = &messages[made].msg_hdr;
      memset(&messages[made], 0, sizeof messages[made]);
      for (int i = 0; i < run; i++) {
        const int32_t *one = row + i * ROW_COLUMNS;
        parts[at + i].iov_base = (void *)(memory + one[ROW_OFFSET]);
        parts[at + i].iov_len = (size_t)one[ROW_LENGTH];
      }
      message->msg_iov = &parts[at];
      message->msg_iovlen = (size_t)run;
      message->msg_namelen = name_of(row, &names[made]);
      if (message->msg_namelen > 0) message->msg_name = &names[made];
      if (run > 1) segmented(message, &controls[made], row[ROW_LENGTH]);
      runs[made] = run;
      at += run;
    }
    int sent = sendmmsg(fd, messages, (unsigned)made, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return done;
      /* Devices and paths that cannot segment say EIO or EINVAL. */
      if (runs[0] > 1 && (errno == EIO || errno == EINVAL)) {
        *segment = false;
        continue;
      }
      for (int i = 0; i < runs[0]; i++) rows[(done + i) * ROW_COLUMNS + ROW_EXTRA] = errno;
      *failed += runs[0];
      sent = 1;
    }
    for (int i = 0; i < sent; i++) done += runs[i];
  }
  return done;
}

/* The size of coalesced datagrams, 0 for a single one. */
static int32_t coalesced(struct msghdr *message, int32_t length) {
  const struct cmsghdr *head = CMSG_FIRSTHDR(message);
  int size = 0;
  if (head == NULL || head->cmsg_level != SOL_UDP || head->cmsg_type != COALESCED) return 0;
  if (head->cmsg_len < CMSG_LEN(sizeof size)) return 0;
  memcpy(&size, CMSG_DATA(head), sizeof size);
  return size > 0 && size < length ? size : 0;
}

int batch_receive(int fd, uint8_t *memory, int32_t *rows) {
  struct mmsghdr messages[MAX_MESSAGES];
  struct iovec parts[MAX_MESSAGES];
  union name names[MAX_MESSAGES];
  struct control controls[MAX_MESSAGES];
  memset(messages, 0, sizeof messages);
  memset(names, 0, sizeof names);
  for (int i = 0; i < MAX_MESSAGES; i++) {
    parts[i].iov_base = memory + (size_t)i * MESSAGE_BYTES;
    parts[i].iov_len = MESSAGE_BYTES;
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    messages[i].msg_hdr.msg_name = &names[i];
    messages[i].msg_hdr.msg_namelen = sizeof names[i];
    messages[i].msg_hdr.msg_control = &controls[i];
    messages[i].msg_hdr.msg_controllen = sizeof controls[i];
  }
  int count;
  do count = recvmmsg(fd, messages, MAX_MESSAGES, MSG_DONTWAIT, NULL);
  while (count < 0 && errno == EINTR);
  if (count < 0) return -errno;
  for (int i = 0; i < count; i++) {
    int32_t *row = rows + i * ROW_COLUMNS;
    memset(row, 0, ROW_COLUMNS * sizeof *row);
    row[ROW_OFFSET] = i * MESSAGE_BYTES;
    row[ROW_LENGTH] = (int32_t)messages[i].msg_len;
    row[ROW_EXTRA] = coalesced(&messages[i].msg_hdr, row[ROW_LENGTH]);
    name_read(&names[i], row);
  }
  return count;
}
