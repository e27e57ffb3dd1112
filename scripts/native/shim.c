/* A kernel with little room and devices that cannot segment: preloaded by `npm run native:asan`. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int calls;

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
  static int (*real)(int, struct mmsghdr *, unsigned, int);
  const char *what = getenv("SHIM");
  if (real == NULL) real = (int (*)(int, struct mmsghdr *, unsigned, int))dlsym(RTLD_NEXT, "sendmmsg");
  if (what != NULL && strcmp(what, "eio") == 0 && messages[0].msg_hdr.msg_controllen > 0) {
    errno = calls++ % 2 == 0 ? EIO : EINVAL;
    return -1;
  }
  if (what != NULL && strcmp(what, "eagain") == 0) {
    const int now = calls++ % 3;
    if (now == 0) {
      errno = EAGAIN;
      return -1;
    }
    /* A part of what was given. */
    if (now == 1 && count > 1) count = (count + 1) / 2;
  }
  return real(fd, messages, count, flags);
}
