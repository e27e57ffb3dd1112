/* A link over TLS: what it sends is encrypted once, and waits as ciphertext where the kernel does not take it. */
#define _GNU_SOURCE
#include "yamux.h"

#include <errno.h>
#include <stdlib.h>

int link_secure(struct link *link, SSL *ssl, const uint8_t *finished, size_t size, double sent) {
  struct engine *engine = link->engine;
  if (engine->tls == NULL) engine->tls = calloc(1, sizeof *engine->tls);
  link->tls = engine->tls == NULL ? NULL : tls_open(ssl, engine->tls, finished, size, sent);
  return link->tls == NULL ? -EBUSY : 0;
}

void link_unsecure(struct link *link) {
  if (link->tls != NULL) tls_close(link->tls);
  link->tls = NULL;
  if (link->tls_ref != NULL) napi_delete_reference(link->engine->at->env, link->tls_ref);
  link->tls_ref = NULL;
}

void link_send_sealed(struct link *link) {
  struct bytes *sealed = &link->sealed;
  const size_t sent = link_send(link, sealed->memory + sealed->start, bytes_left(sealed), 0);
  if (!link->lost) bytes_take(sealed, sent);
  if (bytes_left(sealed) == 0) link->answers = 0;
}

/* Sends what TLS has made, behind what waits. */
static void send_made(struct link *link) {
  struct tls_memory *made = link->engine->tls;
  const size_t size = made->out_used;
  made->out_used = 0;
  if (size == 0 || link->lost) return;
  const size_t sent = bytes_left(&link->sealed) > 0 ? 0 : link_send(link, made->out, size, 0);
  if (!link->lost && !bytes_append(&link->sealed, made->out + sent, size - sent)) link_lost(link, ENOMEM);
}

size_t link_seal(struct link *link, const uint8_t *bytes, size_t size) {
  size_t done = 0;
  while (done < size && !link->lost && bytes_left(&link->sealed) == 0) {
    const size_t part = size - done < TLS_IN ? size - done : TLS_IN;
    done += tls_write(link->tls, bytes + done, part);
    send_made(link);
    if (link->tls->failed) link_lost(link, EPROTO);
    if (link->tls->waits) break;
  }
  return link->lost ? size : done;
}

/* Of TLS itself, and alerts. What waits is sent by its own event, which also tells who waits for the link. */
static void send_answers(struct link *link) {
  const size_t before = bytes_left(&link->sealed);
  /* Nothing follows the closure alert. */
  if (link->tls_ended) link->engine->tls->out_used = 0;
  if (link->engine->tls->out_used == 0) return;
  send_made(link);
  if (link->lost || bytes_left(&link->sealed) == 0) return;
  /* Frames that were gathered before the link was blocked are in front of those that follow. */
  link_flush(link);
  link->answers += bytes_left(&link->sealed) - before;
  if (link->answers <= TLS_ANSWERS) return;
  link->tls->reason = "the peer causes answers and does not read them";
  link_lost(link, EPROTO);
}

ssize_t link_unseal(struct link *link, uint8_t *to, size_t room) {
  const ssize_t count = tls_read(link->tls, link->entry.fd, to, room);
  const int error = errno;
  send_answers(link);
  errno = error;
  return count;
}

void link_seal_end(struct link *link) {
  if (link->tls_ended) return;
  link->tls_ended = true;
  tls_end(link->tls);
  send_made(link);
}
