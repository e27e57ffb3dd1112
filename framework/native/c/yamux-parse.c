/* Frames of a link: those of its own streams are handled here, others are left to JavaScript. */
#define _GNU_SOURCE
#include "yamux.h"

#include <string.h>

static uint32_t word(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Bytes for JavaScript. What follows the last ones extends them. */
static void leave_to_script(struct link *link, const uint8_t *at, size_t size) {
  const int32_t start = (int32_t)(at - link->engine->memory), end = start + (int32_t)size;
  if (link->run_end > link->run_start && link->run_end != start) {
    engine_post(link, EVENT_BYTES, link->run_start, link->run_end, 0);
    link->several = true;
    link->run_start = start;
  } else if (link->run_end == link->run_start) link->run_start = start;
  link->run_end = end;
}

static void violated(struct link *link, uint32_t id, int kind) {
  link->stopped = true;
  engine_post(link, EVENT_VIOLATION, (int32_t)id, kind, 0);
}

void link_frame_end(struct link *link) {
  struct stream *stream = link->target;
  link->target = NULL;
  if (stream != NULL && link->ends) stream_end(stream);
}

static void stream_frame(struct link *link, struct stream *stream, int type, int flags, uint32_t length) {
  link->left = type == FRAME_DATA ? length : 0;
  link->current = stream->id;
  link->to_script = false;
  link->target = NULL;
  if (flags & FLAG_SYN) {
    violated(link, stream->id, VIOLATION_SYN);
    return;
  }
  if (flags & FLAG_RST) {
    stream_over(stream, OVER_RESET);
    return;
  }
  if (!stream->acknowledged) {
    stream->acknowledged = true;
    engine_post(link, EVENT_ACKNOWLEDGED, (int32_t)stream->id, 0, 0);
  }
  if (type == FRAME_WINDOW) {
    stream_grant(stream, length);
    if (flags & FLAG_FIN) stream_end(stream);
    return;
  }
  if (length > 0 && stream->end_received) {
    stream_fail(stream, OVER_DATA_AFTER_END);
    return;
  }
  if (length > stream->credit) {
    violated(link, stream->id, VIOLATION_WINDOW);
    return;
  }
  if (stream->granted_at == 0) stream->granted_at = engine_now();
  stream->credit -= length;
  link->target = stream;
  link->large = length >= SPLICE_FROM;
  link->ends = (flags & FLAG_FIN) != 0;
  if (length == 0) link_frame_end(link);
}

void link_parse(struct link *link, uint8_t *at, const uint8_t *end) {
  while (at < end && !link->stopped) {
    const size_t size = (size_t)(end - at);
    if (link->left > 0) {
      const uint32_t part = size < link->left ? (uint32_t)size : link->left;
      if (link->to_script) leave_to_script(link, at, part);
      else if (link->target != NULL) stream_take(link->target, at, part);
      link->left -= part;
      at += part;
      if (link->left == 0 && !link->to_script) link_frame_end(link);
      continue;
    }
    if (size < FRAME_HEADER) {
      memcpy(link->header, at, size);
      link->have = (uint32_t)size;
      return;
    }
    const int version = at[0], type = at[1], flags = at[3];
    const uint32_t id = word(at + 4), length = word(at + 8);
    struct stream *stream = version == 0 && type <= FRAME_WINDOW ? link_find(link, id) : NULL;
    if (stream != NULL) stream_frame(link, stream, type, flags, length);
    else {
      leave_to_script(link, at, FRAME_HEADER);
      link->large = false;
      link->left = version == 0 && type == FRAME_DATA ? length : 0;
      link->current = id;
      link->to_script = true;
      link->target = NULL;
      link->ends = (flags & FLAG_FIN) != 0;
    }
    at += FRAME_HEADER;
  }
}
