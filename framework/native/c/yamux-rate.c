/* How fast a link is, and how much of it may wait in the kernel: bytes that wait there are in front of those of all streams. */
#define _GNU_SOURCE
#include "yamux.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

enum {
  MEASURE_MS = 100,          /* at least, of which the link was blocked for half or more */
  WAIT_MS = 20,              /* of what the link sends may wait in the kernel */
  MIN_WAIT = 64 * 1024,
  FIRST_WAIT = 512 * 1024,   /* before it is known how fast the link is */
  MAX_WAIT = 4 * 1024 * 1024, /* as much as the kernel keeps by itself */
  SLOW = 12000,              /* bytes in a ms, below which streams that wait get less at a time: */
  SHARE_MS = 3,              /* what the link sends in so many ms */
  MIN_SHARE = 16 * 1024
};

int limit_unsent(int fd, uint32_t bytes) {
  return setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

static void set_unsent(struct link *link, uint32_t bytes) {
  if (limit_unsent(link->entry.fd, bytes) == 0) link->unsent = bytes;
}

void rate_begin(struct link *link) {
  set_unsent(link, FIRST_WAIT);
}

static void measured(struct link *link, double rate) {
  const double wait = rate * WAIT_MS;
  const uint32_t bytes = wait >= MAX_WAIT ? 0 : wait > MIN_WAIT ? (uint32_t)wait : MIN_WAIT;
  const uint32_t before = link->unsent, apart = bytes > before ? bytes - before : before - bytes;
  link->rate = rate;
  /* 0 is the value of the system, which has no limit. */
  if (bytes == before || (bytes != 0 && apart < before / 4)) return;
  set_unsent(link, bytes);
}

void rate_blocked(struct link *link) {
  if (link->blocked_at == 0) link->blocked_at = engine_now();
}

/* Ends a measurement that is long enough. What a link carries while it waits for its streams is the least that it can. */
static void measure(struct link *link, double now) {
  const double took = now - link->rate_since;
  if (took < MEASURE_MS) return;
  const double rate = (double)link->rate_bytes / took, known = link->rate > 0 ? link->rate : FIRST_WAIT / WAIT_MS;
  if (link->rate_since > 0 && (link->rate_waited * 2 >= took || rate > known)) measured(link, rate);
  link->rate_since = now;
  link->rate_waited = 0;
  link->rate_bytes = 0;
}

double rate_unblocked(struct link *link) {
  if (link->blocked_at == 0) return 0;
  const double now = engine_now(), blocked = now - link->blocked_at;
  link->blocked_at = 0;
  link->rate_waited += blocked;
  measure(link, now);
  return blocked;
}

void rate_free(struct link *link) {
  if (link->rate > 0 && link->rate * WAIT_MS < MAX_FRAME) measure(link, engine_now());
}

/* What the link sends in so many ms. */
static size_t part(const struct link *link, size_t most, double ms, size_t least) {
  const double bytes = link->rate * ms;
  if (link->rate == 0 || most <= least || bytes >= (double)most) return most;
  return bytes > (double)least ? (size_t)bytes : least;
}

size_t rate_share(const struct link *link, size_t most) {
  return link->rate < SLOW ? part(link, most, SHARE_MS, MIN_SHARE) : most;
}

size_t rate_frame(const struct link *link, size_t most) {
  return part(link, most, WAIT_MS, MIN_WAIT);
}
