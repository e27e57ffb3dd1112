/* Large frames: their payload goes from socket to socket through a pipe, and never into this process. */
#define _GNU_SOURCE
#include "yamux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIPE_BYTES = 1024 * 1024, MAX_PIPES = 32, COPY_BYTES = 16 * 1024 };

/* Not SPLICE_F_MORE: what follows is not known. */
static const unsigned FLAGS = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

static ssize_t move(int from, int to, size_t size) {
  ssize_t count;
  do count = splice(from, NULL, to, NULL, size, FLAGS);
  while (count < 0 && errno == EINTR);
  return count;
}

/* NULL where no descriptor is left, or many links hold one. */
static struct pipe *pipe_take(struct engine *engine) {
  struct pipe *pipe = engine->pipes;
  int ends[2];
  if (pipe != NULL) {
    engine->pipes = pipe->next;
    return pipe;
  }
  if (engine->pipe_count == MAX_PIPES || (pipe = calloc(1, sizeof *pipe)) == NULL) return NULL;
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    free(pipe);
    return NULL;
  }
  pipe->in = ends[0];
  pipe->out = ends[1];
  /* Refused to users that have many: a smaller one does as well. */
  fcntl(pipe->out, F_SETPIPE_SZ, PIPE_BYTES);
  const int size = fcntl(pipe->out, F_GETPIPE_SZ);
  pipe->size = size > 0 ? (size_t)size : 65536;
  engine->pipe_count++;
  return pipe;
}

void pipe_drop(struct engine *engine, struct pipe *pipe) {
  close(pipe->in);
  close(pipe->out);
  free(pipe);
  engine->pipe_count--;
}

/* One that holds bytes is not used again. */
static void pipe_give(struct engine *engine, struct pipe *pipe) {
  if (pipe->held > 0) {
    pipe_drop(engine, pipe);
    return;
  }
  pipe->next = engine->pipes;
  engine->pipes = pipe;
}

void pipes_close(struct engine *engine) {
  while (engine->pipes != NULL) {
    struct pipe *pipe = engine->pipes;
    engine->pipes = pipe->next;
    pipe_drop(engine, pipe);
  }
}

/* Copies what a pipe holds behind a queue. */
static bool copy_out(struct pipe *pipe, struct bytes *to) {
  uint8_t part[COPY_BYTES];
  while (pipe->held > 0) {
    const ssize_t count = read(pipe->in, part, sizeof part);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 || !bytes_append(to, part, (size_t)count)) return false;
    pipe->held -= (size_t)count;
  }
  return true;
}

bool splice_rest(struct link *link) {
  struct pipe *pipe = link->pipe;
  while (pipe->held > 0) {
    const ssize_t count = move(pipe->in, link->entry.fd, pipe->held);
    if (count < 0 && errno == EAGAIN) return false;
    if (count <= 0) {
      link_lost(link, count == 0 ? EPIPE : errno);
      break;
    }
    pipe->held -= (size_t)count;
    link->rate_bytes += (uint64_t)count;
  }
  link->pipe = NULL;
  pipe_give(link->engine, pipe);
  return !link->lost;
}

bool splice_out(struct stream *stream, size_t limit) {
  struct link *link = stream->link;
  link_flush(link);
  if (link_blocked(link) || link->lost) return false;
  struct pipe *pipe = pipe_take(link->engine);
  if (pipe == NULL) return false;
  const ssize_t count = move(stream->entry.fd, pipe->out, limit < pipe->size ? limit : pipe->size);
  if (count <= 0) {
    /* An end and errors are for reading to report. */
    pipe_give(link->engine, pipe);
    stream->flows = false;
    return false;
  }
  pipe->held = (size_t)count;
  stream->flows = (size_t)count >= SPLICE_FROM;
  stream->send_window -= (uint32_t)count;
  stream->sent += (uint64_t)count;
  if (link_header(link, FRAME_DATA, 0, stream->id, (uint32_t)count)) {
    link->pipe = pipe;
    splice_rest(link);
  } else {
    if (!link->lost && !copy_out(pipe, &link->pending)) link_lost(link, ENOMEM);
    pipe_give(link->engine, pipe);
  }
  stream_ring(stream);
  return true;
}

/* What a pipe holds goes to the socket, and what that does not take into the inbox. `false`: it takes no more. */
static bool pass_on(struct stream *stream, struct pipe *pipe) {
  struct link *link = stream->link;
  size_t sent = 0;
  while (pipe->held > 0 && stream->writable) {
    const ssize_t count = move(pipe->in, stream->entry.fd, pipe->held);
    if (count > 0) {
      pipe->held -= (size_t)count;
      sent += (size_t)count;
    } else if (count < 0 && errno == EAGAIN) stream->writable = false;
    else {
      stream_write_failed(stream, count == 0 ? EPIPE : errno);
      return false;
    }
  }
  const size_t rest = pipe->held;
  if (!copy_out(pipe, &stream->inbox)) {
    stream_fail(stream, ENOMEM);
    return false;
  }
  link->shared[SHARED_USED] += (double)rest;
  if (sent > 0) stream_consumed(stream, sent);
  return true;
}

bool splice_in(struct link *link) {
  struct engine *engine = link->engine;
  struct stream *stream = link->target;
  struct pipe *pipe = pipe_take(engine);
  bool more = pipe != NULL;
  while (more && link->left > 0 && stream->writable && bytes_left(&stream->inbox) == 0) {
    const ssize_t count = move(link->entry.fd, pipe->out, link->left < pipe->size ? link->left : pipe->size);
    if (count <= 0) {
      /* An end and errors are for reading to report. */
      more = count == 0 || errno != EAGAIN;
      break;
    }
    pipe->held = (size_t)count;
    link->left -= (uint32_t)count;
    stream->received += (uint64_t)count;
    if (!pass_on(stream, pipe)) break;
  }
  if (pipe == NULL) return true;
  pipe_give(engine, pipe);
  if (link->left == 0) link_frame_end(link);
  return more;
}
