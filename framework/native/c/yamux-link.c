/* A link: its descriptor, what waits to be sent, and its streams. */
#define _GNU_SOURCE
#include "yamux.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  READS_PER_TURN = 4,
  FAST_TURN = 1024 * 1024,  /* bytes of all streams in a turn of a fast link, */
  FAST_FRAME = 256 * 1024,  /* and of one */
  FAST_MS = 2               /* within which such a link takes what did not fit */
};

struct link *link_open(struct engine *engine, int descriptor, int *error) {
  int kind = 0;
  socklen_t size = sizeof kind;
  int32_t place = 0;
  *error = engine->closed ? -ECANCELED : 0;
  if (*error == 0 && getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &kind, &size) != 0) *error = -errno;
  if (*error == 0 && kind != SOCK_STREAM) *error = -EPROTOTYPE;
  while (place < engine->link_room && engine->links[place] != NULL) place++;
  if (*error == 0 && place == engine->link_room) {
    const int32_t room = place == 0 ? 16 : place * 2;
    struct link **links = room > MAX_LINKS ? NULL : realloc(engine->links, (size_t)room * sizeof *links);
    if (links == NULL) *error = -ENOMEM;
    else {
      memset(links + place, 0, (size_t)(room - place) * sizeof *links);
      engine->links = links;
      engine->link_room = room;
    }
  }
  if (*error != 0) return NULL;
  const int fd = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  struct link *link = fd < 0 ? NULL : calloc(1, sizeof *link);
  if (link == NULL) {
    *error = fd < 0 ? -errno : -ENOMEM;
    if (fd >= 0) close(fd);
    return NULL;
  }
  link->entry = (struct entry){.fd = fd, .cookie = socket_cookie(fd), .is_link = true};
  link->engine = engine;
  /* A number is not used again soon: events of the one before may not be told yet. */
  engine->link_generation = (engine->link_generation + 1) & 0x7fff;
  link->number = engine->link_generation * MAX_LINKS + place;
  engine->links[place] = link;
  rate_begin(link);
  engine_hold(engine);
  return link;
}

int link_start(struct link *link, const uint8_t *bytes, size_t size) {
  if (!bytes_append(&link->fed, bytes, size)) return -ENOMEM;
  const int error = engine_watch(link->engine, &link->entry);
  link->readable = true;
  /* Without events it would stay silent. */
  if (error != 0) link_lost(link, -error);
  /* A write has noticed it before the start, when there is no event. */
  else if (link->lost) engine_post(link, EVENT_LINK_LOST, ECONNRESET, 0, 0);
  engine_work(link);
  return error;
}

void link_close(struct link *link, bool reset) {
  struct engine *engine = link->engine;
  for (uint32_t i = 0; i < link->buckets; i++)
    for (struct stream *stream = link->table[i], *next; stream != NULL; stream = next) {
      next = stream->hash_next;
      if (!stream->left) stream_drop(stream, true);
    }
  if (link->closed) return;
  link->closed = true;
  link->lost = true;
  link->stopped = true;
  engine_idle(link);
  if (engine->out_link == link) {
    engine->out_link = NULL;
    engine->out_used = 0;
  }
  if (reset) {
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(link->entry.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  if (link->pipe != NULL) pipe_drop(engine, link->pipe);
  link->pipe = NULL;
  bytes_free(&link->pending);
  bytes_free(&link->fed);
  bytes_free(&link->sealed);
  link_unsecure(link);
  engine_unwatch(engine, &link->entry);
  if (link->count == 0) link_release(link);
}

void link_lost(struct link *link, int error) {
  if (link->lost) return;
  link->lost = true;
  link->stopped = true;
  link->readable = false;
  bytes_free(&link->pending);
  bytes_free(&link->sealed);
  engine_post(link, EVENT_LINK_LOST, error, 0, 0);
}

size_t link_send(struct link *link, const uint8_t *bytes, size_t size, int flags) {
  size_t sent = 0;
  while (sent < size && !link->lost) {
    const ssize_t count = send(link->entry.fd, bytes + sent, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL | flags);
    if (count >= 0) sent += (size_t)count;
    else if (errno == EAGAIN || errno == EWOULDBLOCK) break;
    else if (errno != EINTR) link_lost(link, errno);
  }
  link->rate_bytes += sent;
  return link->lost ? size : sent;
}

/* What is not sent is pending then. */
static size_t send_now(struct link *link, const uint8_t *bytes, size_t size, int flags) {
  return link->tls == NULL ? link_send(link, bytes, size, flags) : link_seal(link, bytes, size);
}

void link_flush(struct link *link) {
  struct engine *engine = link->engine;
  if (engine->out_link != link) return;
  const size_t used = engine->out_used;
  engine->out_link = NULL;
  engine->out_used = 0;
  const size_t sent = send_now(link, engine->out, used, 0);
  if (sent < used && !bytes_append(&link->pending, engine->out + sent, used - sent)) link_lost(link, ENOMEM);
  if (link_blocked(link)) rate_blocked(link);
}

uint8_t *link_room(struct link *link, size_t bytes) {
  struct engine *engine = link->engine;
  if (engine->out_link != NULL && (engine->out_link != link || engine->out_used + bytes > OUT_BYTES))
    link_flush(engine->out_link);
  if (link_blocked(link) || link->lost) return NULL;
  engine->out_link = link;
  return engine->out + engine->out_used;
}

static void put_word(uint8_t *at, uint32_t word) {
  at[0] = (uint8_t)(word >> 24);
  at[1] = (uint8_t)(word >> 16);
  at[2] = (uint8_t)(word >> 8);
  at[3] = (uint8_t)word;
}

static void put_header(uint8_t *at, int type, int flags, uint32_t id, uint32_t length) {
  at[0] = at[2] = 0;
  at[1] = (uint8_t)type;
  at[3] = (uint8_t)flags;
  put_word(at + 4, id);
  put_word(at + 8, length);
}

bool link_header(struct link *link, int type, int flags, uint32_t id, uint32_t length) {
  uint8_t header[FRAME_HEADER];
  put_header(header, type, flags, id, length);
  const size_t sent = send_now(link, header, sizeof header, MSG_MORE);
  if (sent < sizeof header && !bytes_append(&link->pending, header + sent, sizeof header - sent)) link_lost(link, ENOMEM);
  return sent == sizeof header && !link->lost;
}

void link_frame(struct link *link, int type, int flags, uint32_t id, uint32_t length) {
  uint8_t header[FRAME_HEADER];
  put_header(header, type, flags, id, length);
  uint8_t *at = link_room(link, sizeof header);
  if (at != NULL) {
    memcpy(at, header, sizeof header);
    link->engine->out_used += sizeof header;
  } else if (!link->lost && !bytes_append(&link->pending, header, sizeof header)) link_lost(link, ENOMEM);
}

void link_data(struct link *link, int flags, uint32_t id, const uint8_t *bytes, size_t size) {
  uint8_t header[FRAME_HEADER];
  put_header(header, FRAME_DATA, flags, id, (uint32_t)size);
  uint8_t *at = link_room(link, sizeof header + size);
  if (at != NULL) {
    memcpy(at, header, sizeof header);
    memcpy(at + sizeof header, bytes, size);
    link->engine->out_used += sizeof header + size;
  } else if (!link->lost &&
             !(bytes_append(&link->pending, header, sizeof header) && bytes_append(&link->pending, bytes, size)))
    link_lost(link, ENOMEM);
}

bool link_write(struct link *link, const uint8_t *bytes, size_t size) {
  link_flush(link);
  const size_t sent = link_blocked(link) ? 0 : send_now(link, bytes, size, 0);
  if (link->lost) return true;
  if (sent < size && !bytes_append(&link->pending, bytes + sent, size - sent)) link_lost(link, ENOMEM);
  if (!link_blocked(link)) return true;
  rate_blocked(link);
  link->script_waits = true;
  return false;
}

static void end_if_sent(struct link *link) {
  if (!link->ending || link_blocked(link) || link->lost) return;
  if (link->tls != NULL) link_seal_end(link);
  if (link_blocked(link) || link->lost) return;
  shutdown(link->entry.fd, SHUT_WR);
  if (link->ended) link_lost(link, 0);
}

void link_end(struct link *link) {
  link_flush(link);
  link->ending = true;
  end_if_sent(link);
}

/* Bytes of a frame while others wait. A link that takes all at once, or soon, gets larger ones: a turn of it is short. */
static size_t share_of(const struct link *link) {
  size_t share = link->fast && link->ringed > 0 ? FAST_TURN / link->ringed : 0;
  if (share > FAST_FRAME) share = FAST_FRAME;
  return rate_share(link, share > link->frame_size ? share : link->frame_size) - FRAME_HEADER;
}

/* One frame of each stream. */
static void serve(struct link *link) {
  struct engine *engine = link->engine;
  struct stream *last = link->ring_last;
  const size_t share = share_of(link);
  while (link->ring_first != NULL && !link_blocked(link) && !link->lost) {
    struct stream *stream = link->ring_first;
    const bool done = stream == last, alone = stream->ring_next == NULL;
    const size_t used = engine->out_link == link ? engine->out_used : 0, room = OUT_BYTES - used - FRAME_HEADER;
    stream_unring(stream);
    stream_send(stream, !alone ? share : stream->flows ? rate_frame(link, MAX_FRAME) : room > share ? room : share);
    if (done) break;
  }
  if (link_blocked(link)) rate_blocked(link);
  else {
    link->fast = true;
    rate_free(link);
  }
}

static void drain(struct link *link) {
  struct bytes *pending = &link->pending;
  if (!link_blocked(link)) return;
  if (link->pipe != NULL && !splice_rest(link)) return;
  if (bytes_left(&link->sealed) > 0) link_send_sealed(link);
  if (link->lost || bytes_left(&link->sealed) > 0) return;
  const size_t sent = bytes_left(pending) == 0 ? 0 : send_now(link, pending->memory + pending->start, bytes_left(pending), 0);
  if (link->lost) return;
  if (sent > 0) bytes_take(pending, sent);
  if (link_blocked(link)) return;
  link->fast = rate_unblocked(link) < FAST_MS;
  end_if_sent(link);
  if (!link->script_waits) return;
  /* The room goes to JavaScript and to joined streams in turns: either one could take it all each time. */
  link->script_waits = false;
  link->tell_first = link->script_first = !link->script_first;
  if (!link->script_first) serve(link);
  engine_post(link, EVENT_WRITABLE, 0, 0, 0);
}

void link_event(struct link *link, uint32_t events) {
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) link->readable = true;
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) link->hung_up = true;
  if (link->ended && (events & EPOLLERR)) link_lost(link, ECONNRESET);
  if (events & (EPOLLOUT | EPOLLERR)) drain(link);
  engine_work(link);
}

static void fell_silent(struct link *link) {
  link->readable = false;
  link->ended = true;
  engine_post(link, EVENT_LINK_END, 0, 0, 0);
  end_if_sent(link);
}

/* One read, and what is in it. `false`: there is no more for now. */
static bool read_once(struct link *link) {
  struct engine *engine = link->engine;
  uint8_t *at = engine->memory + READ_HEADROOM;
  const size_t whole = engine->memory_bytes - READ_HEADROOM;
  /* Behind a large frame its header is read alone, so that its payload may stay in the kernel. */
  const size_t room = link->large && link->left == 0 && link->tls == NULL ? FRAME_HEADER - link->have : whole;
  ssize_t count;
  if (bytes_left(&link->fed) > 0) {
    const size_t fed = bytes_left(&link->fed) < room ? bytes_left(&link->fed) : room;
    memcpy(at, link->fed.memory + link->fed.start, fed);
    bytes_take(&link->fed, fed);
    count = (ssize_t)fed;
  } else {
    if (link->tls != NULL) count = link_unseal(link, at, room);
    else do count = recv(link->entry.fd, at, room, MSG_DONTWAIT);
    while (count < 0 && errno == EINTR);
    if (count == 0) fell_silent(link);
    else if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK) link_lost(link, errno);
    if (count <= 0) {
      link->readable = link->tls != NULL && link->tls->full;
      return false;
    }
    link->readable = (link->tls == NULL ? (size_t)count == room : link->tls->full) || link->hung_up;
  }
  link->shared[SHARED_HEARD] = 1;
  memcpy(at - link->have, link->header, link->have);
  uint8_t *begin = at - link->have;
  link->have = 0;
  link_parse(link, begin, at + count);
  if (link->tls == NULL && link->left >= SPLICE_FROM && link->target != NULL &&
      !link->target->awaits && bytes_left(&link->fed) == 0) link->readable = splice_in(link);
  return link->readable || bytes_left(&link->fed) > 0;
}

void link_turn(struct link *link) {
  struct engine *engine = link->engine;
  for (int i = 0; i < READS_PER_TURN && link->readable && !link->ended && !link->lost; i++) {
    const bool more = read_once(link);
    /* Beyond the limit of memory JavaScript sees each read: it knows all streams, and resets the one with most. */
    if (link->run_end > link->run_start || link->shared[SHARED_USED] > link->limit) {
      engine_post(link, EVENT_BYTES, link->run_start, link->run_end, link->several ? 0 : 1);
      link->run_start = link->run_end = 0;
      link->several = false;
      /* The next read would overwrite it. */
      engine_deliver(engine);
      if (link->entry.dead) return;
    }
    if (!more) break;
  }
  /* What was read may be the rest of a message that a write had to wait for. */
  if (link->tls != NULL && link->tls->waits) drain(link);
  if (link->tell_first) {
    link->tell_first = false;
    engine_deliver(engine);
    if (link->entry.dead) return;
  }
  serve(link);
  if (link->lost) return;
  if ((link->readable && !link->ended) || (link->ring_first != NULL && !link_blocked(link))) engine_work(link);
}
