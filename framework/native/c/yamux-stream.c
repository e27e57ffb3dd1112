/* A stream that is joined with a socket. */
#define _GNU_SOURCE
#include "yamux.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

void stream_ring(struct stream *stream) {
  struct link *link = stream->link;
  const bool sends = stream->readable && !stream->end_sent && stream->send_window > 0;
  if (stream->ringed || !sends || stream->entry.dead) return;
  stream->ringed = true;
  stream->ring_next = NULL;
  stream->ring_previous = link->ring_last;
  if (link->ring_last == NULL) link->ring_first = stream;
  else link->ring_last->ring_next = stream;
  link->ring_last = stream;
  link->ringed++;
  if (!link_blocked(link)) engine_work(link);
}

void stream_unring(struct stream *stream) {
  struct link *link = stream->link;
  if (!stream->ringed) return;
  stream->ringed = false;
  link->ringed--;
  if (stream->ring_previous == NULL) link->ring_first = stream->ring_next;
  else stream->ring_previous->ring_next = stream->ring_next;
  if (stream->ring_next == NULL) link->ring_last = stream->ring_previous;
  else stream->ring_next->ring_previous = stream->ring_previous;
}

void stream_drop(struct stream *stream, bool reset) {
  struct link *link = stream->link;
  if (stream->entry.dead) return;
  stream_unring(stream);
  link->shared[SHARED_USED] -= (double)bytes_left(&stream->inbox);
  link->shared[SHARED_GROWN] -= (double)(stream->window - INITIAL_WINDOW);
  bytes_free(&stream->inbox);
  if (reset) {
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(stream->entry.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  engine_unwatch(link->engine, &stream->entry);
  engine_reap(link->engine, &stream->entry);
  link_remove(link, stream);
}

void stream_over(struct stream *stream, int32_t reason) {
  if (stream->entry.dead) return;
  engine_post_over(stream, reason);
  stream_drop(stream, reason != 0);
}

void stream_fail(struct stream *stream, int32_t reason) {
  if (stream->entry.dead) return;
  link_frame(stream->link, FRAME_WINDOW, FLAG_RST, stream->id, 0);
  stream_over(stream, reason);
}

void stream_write_failed(struct stream *stream, int32_t error) {
  struct bytes *inbox = &stream->inbox;
  if (stream->entry.dead) return;
  if (stream->end_sent) {
    stream_fail(stream, error);
    return;
  }
  stream->failed = error;
  stream->link->shared[SHARED_USED] -= (double)bytes_left(inbox);
  bytes_free(inbox);
  stream->writable = false;
  stream->readable = true;
  stream_ring(stream);
}

static void over_if_ended(struct stream *stream) {
  if (stream->end_sent && stream->shut) stream_over(stream, 0);
}

/* The end of the peer reaches the socket behind the last byte. */
static void shut_if_drained(struct stream *stream) {
  if (!stream->end_received || stream->shut || stream->awaits || bytes_left(&stream->inbox) > 0) return;
  stream->shut = true;
  shutdown(stream->entry.fd, SHUT_WR);
  over_if_ended(stream);
}

void stream_end(struct stream *stream) {
  if (stream->end_received) return;
  stream->end_received = true;
  engine_post(stream->link, EVENT_END_RECEIVED, (int32_t)stream->id, 0, 0);
  shut_if_drained(stream);
}

void stream_grant(struct stream *stream, uint32_t bytes) {
  const uint32_t room = UINT32_MAX - stream->send_window;
  stream->send_window += bytes < room ? bytes : room;
  stream_ring(stream);
}

static int error_of(const struct stream *stream) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(stream->entry.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

/* What was read to its end, or has nothing to read, does not report a reset by reading. epoll has told of it once. */
static void fail_if_reset(struct stream *stream) {
  const bool reads = stream->readable && !stream->end_sent;
  if (!(stream->broken || stream->failed != 0) || reads || stream->entry.dead) return;
  int error = stream->failed != 0 ? stream->failed : error_of(stream);
  if (error == 0 && !stream->shut && stream->closed) error = ECONNRESET;
  if (error != 0) stream_fail(stream, error);
}

void stream_leave(struct stream *stream) {
  if (stream->awaits) {
    /* There will be no answer, and nothing behind it. */
    stream_over(stream, OVER_RESET);
    return;
  }
  stream->end_sent = true;
  stream->left = true;
  stream_unring(stream);
  fail_if_reset(stream);
  if (!stream->entry.dead) over_if_ended(stream);
}

static void send_end(struct stream *stream) {
  /* A reset behind the end is no end. */
  const int error = stream->failed != 0 ? stream->failed : stream->hung_up ? error_of(stream) : 0;
  if (error != 0) {
    stream_fail(stream, error);
    return;
  }
  stream->readable = false;
  stream->end_sent = true;
  link_frame(stream->link, FRAME_WINDOW, FLAG_FIN, stream->id, 0);
  engine_post(stream->link, EVENT_END_SENT, (int32_t)stream->id, 0, 0);
  over_if_ended(stream);
}

static void send_part(struct stream *stream, size_t limit) {
  struct link *link = stream->link;
  size_t most = stream->send_window < limit ? stream->send_window : limit;
  ssize_t count;
  if (stream->flows && most >= SPLICE_FROM && link->tls == NULL && splice_out(stream, most)) return;
  if (most > OUT_BYTES - FRAME_HEADER) most = OUT_BYTES - FRAME_HEADER;
  /* A quiet stream brings little: its frame is gathered with others. */
  uint8_t *at = link_room(link, FRAME_HEADER + most);
  if (at == NULL) {
    stream_ring(stream);
    return;
  }
  do count = recv(stream->entry.fd, at + FRAME_HEADER, most, MSG_DONTWAIT);
  while (count < 0 && errno == EINTR);
  if (count > 0) {
    link_frame(link, FRAME_DATA, 0, stream->id, (uint32_t)count);
    link->engine->out_used += (size_t)count;
    stream->send_window -= (uint32_t)count;
    stream->sent += (uint64_t)count;
    stream->readable = (size_t)count == most || stream->hung_up;
    stream->flows = (size_t)count >= SPLICE_FROM;
    stream_ring(stream);
  } else if (count == 0) send_end(stream);
  else if (errno == EAGAIN || errno == EWOULDBLOCK) stream->readable = false;
  else stream_fail(stream, errno);
}

void stream_send(struct stream *stream, size_t limit) {
  send_part(stream, limit);
  fail_if_reset(stream);
}

static void grant(struct stream *stream) {
  struct link *link = stream->link;
  const double now = engine_now();
  /* Half a window took less than two round trips: the sender may have been limited by the window. */
  if (now - stream->granted_at < 2 * link->shared[SHARED_ROUND_TRIP]) {
    const uint32_t room = link->max_window > stream->window ? link->max_window - stream->window : 0;
    const uint32_t more = stream->window < room ? stream->window : room;
    if (more > 0 && (double)more * 4 <= link->limit / 2 - link->shared[SHARED_GROWN]) {
      link->shared[SHARED_GROWN] += more;
      stream->window += more;
      stream->owed += more;
    }
  }
  stream->granted_at = now;
  stream->credit += stream->owed;
  link_frame(link, FRAME_WINDOW, 0, stream->id, stream->owed);
  stream->owed = 0;
}

void stream_consumed(struct stream *stream, size_t bytes) {
  const uint32_t uncounted = bytes < stream->uncounted ? (uint32_t)bytes : stream->uncounted;
  stream->uncounted -= uncounted;
  stream->owed += (uint32_t)bytes - uncounted;
  if (!stream->end_received && (uint64_t)stream->owed * 2 >= stream->window) grant(stream);
}

/* Sends to the socket. -1: it takes no more. */
static ssize_t send_now(struct stream *stream, const uint8_t *bytes, size_t size) {
  size_t sent = 0;
  while (sent < size && stream->writable) {
    const ssize_t count = send(stream->entry.fd, bytes + sent, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) sent += (size_t)count;
    else if (errno == EAGAIN || errno == EWOULDBLOCK) stream->writable = false;
    else if (errno != EINTR) {
      stream_write_failed(stream, errno);
      return -1;
    }
  }
  if (sent > 0) stream_consumed(stream, sent);
  return (ssize_t)sent;
}

static void hold(struct stream *stream, const uint8_t *bytes, size_t size) {
  if (!bytes_append(&stream->inbox, bytes, size)) stream_fail(stream, ENOMEM);
  else stream->link->shared[SHARED_USED] += (double)size;
}

/* How much of the bytes is the answer that accepts the stream. Any other one is JavaScript's, with all that follows. */
static size_t take_answer(struct stream *stream, const uint8_t *bytes, size_t size) {
  size_t taken = 0;
  while (!stream->otherwise && taken < size && bytes[taken] == stream->answer[stream->answer_at]) {
    taken++;
    if (++stream->answer_at < stream->answer_size) continue;
    stream->awaits = false;
    stream_consumed(stream, stream->answer_size);
    engine_post(stream->link, EVENT_READY, (int32_t)stream->id, 0, 0);
    return taken;
  }
  if (taken == size) return size;
  if (!stream->otherwise) {
    stream->otherwise = true;
    hold(stream, stream->answer, stream->answer_at);
  }
  if (!stream->entry.dead) hold(stream, bytes + taken, size - taken);
  if (!stream->entry.dead) engine_post(stream->link, EVENT_ANSWER, (int32_t)stream->id, 0, 0);
  return size;
}

void stream_take(struct stream *stream, const uint8_t *bytes, size_t size) {
  if (stream->awaits) {
    const size_t taken = take_answer(stream, bytes, size);
    if (taken == size) return;
    bytes += taken;
    size -= taken;
  }
  stream->received += size;
  if (stream->failed != 0) return;
  ssize_t sent = bytes_left(&stream->inbox) > 0 ? 0 : send_now(stream, bytes, size);
  if (sent < 0 || (size_t)sent == size) return;
  const size_t rest = size - (size_t)sent;
  hold(stream, bytes + sent, rest);
}

void stream_accept(struct stream *stream, size_t bytes) {
  struct bytes *inbox = &stream->inbox;
  if (!stream->awaits || !stream->otherwise || bytes > bytes_left(inbox)) return;
  stream->awaits = false;
  stream->received += bytes_left(inbox) - bytes;
  bytes_take(inbox, bytes);
  stream->link->shared[SHARED_USED] -= (double)bytes;
  stream_consumed(stream, bytes);
  stream_drain(stream);
}

void stream_drain(struct stream *stream) {
  struct bytes *inbox = &stream->inbox;
  if (stream->failed != 0) return;
  stream->writable = true;
  if (stream->awaits) return;
  if (bytes_left(inbox) > 0) {
    const ssize_t sent = send_now(stream, inbox->memory + inbox->start, bytes_left(inbox));
    if (sent < 0) return;
    bytes_take(inbox, (size_t)sent);
    stream->link->shared[SHARED_USED] -= (double)sent;
  }
  shut_if_drained(stream);
}

void stream_event(struct stream *stream, uint32_t events) {
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) stream->hung_up = true;
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
    stream->readable = true;
    stream_ring(stream);
  }
  if (events & (EPOLLHUP | EPOLLERR)) stream->broken = true;
  if (events & EPOLLHUP) stream->closed = true;
  fail_if_reset(stream);
  if (!stream->entry.dead && (events & EPOLLOUT)) stream_drain(stream);
}
