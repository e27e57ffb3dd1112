#define _GNU_SOURCE
#include "tls.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int bio_read(BIO *bio, char *to, int size) {
  const struct openssl *with = openssl();
  struct tls *tls = with->BIO_get_data(bio);
  with->BIO_clear_flags(bio, BIO_RETRIES);
  /* A call of Node, that was in progress when it was taken over, finds nothing. */
  size_t part = tls != NULL && tls->active && size > 0 ? (size_t)(tls->end - tls->at) : 0;
  if (part > (size_t)size) part = (size_t)size;
  if (tls != NULL && part > tls->allowed) part = tls->allowed;
  if (part == 0) {
    with->BIO_set_flags(bio, BIO_WANTS_MORE);
    return -1;
  }
  memcpy(to, tls->at, part);
  tls->at += part;
  tls->allowed -= part;
  return (int)part;
}

static int bio_write(BIO *bio, const char *from, int size) {
  const struct openssl *with = openssl();
  struct tls *tls = with->BIO_get_data(bio);
  with->BIO_clear_flags(bio, BIO_RETRIES);
  if (tls == NULL || !tls->active || size < 0) return -1;
  struct tls_memory *memory = tls->memory;
  if (memory->out_used + (size_t)size > memory->out_room) {
    size_t room = memory->out_room == 0 ? TLS_IN + TLS_IN / 8 : memory->out_room;
    while (room < memory->out_used + (size_t)size) room *= 2;
    uint8_t *out = realloc(memory->out, room);
    if (out == NULL) return -1;
    memory->out = out;
    memory->out_room = room;
  }
  memcpy(memory->out + memory->out_used, from, (size_t)size);
  memory->out_used += (size_t)size;
  return size;
}

static long bio_control(BIO *bio, int what, long number, void *pointer) {
  (void)bio;
  (void)number;
  (void)pointer;
  return what == BIO_IS_FLUSHED;
}

BIO_METHOD *tls_method(const struct openssl *with) {
  BIO_METHOD *method = with->BIO_meth_new(with->BIO_get_new_index(), "rystra link");
  if (method == NULL || with->BIO_meth_set_read(method, bio_read) != 1 ||
      with->BIO_meth_set_write(method, bio_write) != 1 || with->BIO_meth_set_ctrl(method, bio_control) != 1)
    return NULL;
  return method;
}

/* Ciphertext that Node has read and OpenSSL has not. */
static bool take_rest(struct tls *tls) {
  const struct openssl *with = openssl();
  uint8_t part[4096];
  while (with->BIO_ctrl(tls->in, BIO_HAS_PENDING, 0, NULL) > 0) {
    const int count = with->BIO_read(tls->in, part, sizeof part);
    if (count <= 0) return true;
    if (!bytes_append(&tls->rest, part, (size_t)count)) return false;
  }
  return true;
}

/* Between two messages, and all that it has to send is sent: Node may have noted that, or not yet. */
static bool is_quiet(const SSL *ssl, double sent) {
  const struct openssl *with = openssl();
  BIO *out = with->SSL_get_wbio(ssl);
  return with->SSL_version(ssl) == TLS_1_3 && with->SSL_is_init_finished(ssl) == 1 && with->SSL_get_shutdown(ssl) == 0 &&
         out != NULL && with->SSL_get_rbio(ssl) != NULL && (double)with->BIO_number_written(out) == sent;
}

static bool is_that(const SSL *ssl, const uint8_t *finished, size_t size) {
  uint8_t own[64];
  return size > 0 && size <= sizeof own && openssl()->SSL_get_finished(ssl, own, sizeof own) == size &&
         memcmp(own, finished, size) == 0;
}

struct tls *tls_open(SSL *ssl, struct tls_memory *memory, const uint8_t *finished, size_t size, double sent) {
  const struct openssl *with = openssl();
  if (with == NULL || !is_quiet(ssl, sent) || !is_that(ssl, finished, size)) return NULL;
  struct tls *tls = calloc(1, sizeof *tls);
  BIO *bio = tls == NULL ? NULL : with->BIO_new(with->method);
  if (bio == NULL) {
    free(tls);
    return NULL;
  }
  tls->in = with->SSL_get_rbio(ssl);
  tls->out = with->SSL_get_wbio(ssl);
  tls->ssl = ssl;
  tls->memory = memory;
  /* Node goes on referring to its own. */
  with->BIO_up_ref(tls->in);
  if (tls->out != tls->in) with->BIO_up_ref(tls->out);
  with->SSL_up_ref(ssl);
  with->BIO_set_data(bio, tls);
  with->BIO_set_init(bio, 1);
  /* Without memory the link is lost: some was taken already. */
  tls->failed = !take_rest(tls);
  with->SSL_set_info_callback(ssl, NULL);
  with->SSL_set_bio(ssl, bio, bio);
  tls->full = bytes_left(&tls->rest) > 0;
  return tls;
}

void tls_close(struct tls *tls) {
  const struct openssl *with = openssl();
  with->SSL_set_bio(tls->ssl, tls->in, tls->out);
  with->SSL_free(tls->ssl);
  bytes_free(&tls->rest);
  free(tls);
}

static void begin(struct tls *tls) {
  openssl()->ERR_clear_error();
  tls->active = true;
}

static void fail(struct tls *tls) {
  const struct openssl *with = openssl();
  const unsigned long error = with->ERR_peek_error();
  if (tls->reason == NULL && error != 0) tls->reason = with->ERR_reason_error_string(error);
  tls->failed = true;
}

static void end(struct tls *tls) {
  tls->active = false;
  openssl()->ERR_clear_error();
}

/* Decrypts what there is. */
static size_t decrypt(struct tls *tls, uint8_t *to, size_t room) {
  const struct openssl *with = openssl();
  size_t got = 0;
  begin(tls);
  while (got < room && !tls->closed && !tls->failed) {
    const size_t part = room - got;
    tls->allowed = TLS_MESSAGES;
    const int count = with->SSL_read(tls->ssl, to + got, part > INT_MAX ? INT_MAX : (int)part);
    if (count > 0) {
      got += (size_t)count;
      continue;
    }
    const int why = with->SSL_get_error(tls->ssl, count);
    if (why == SSL_CLOSED) tls->closed = true;
    else if (why != SSL_WANTS_READ) fail(tls);
    else break;
  }
  end(tls);
  return got;
}

/* What was read and not decrypted is kept: there was no room for its plaintext. */
static bool keep_rest(struct tls *tls, bool kept) {
  const size_t left = (size_t)(tls->end - tls->at);
  bool is = true;
  if (kept) bytes_take(&tls->rest, bytes_left(&tls->rest) - left);
  else is = bytes_append(&tls->rest, tls->at, left);
  tls->at = tls->end = NULL;
  return is;
}

ssize_t tls_read(struct tls *tls, int fd, uint8_t *to, size_t room) {
  size_t most = room > 2 * TLS_RECORD ? room - TLS_RECORD : room;
  if (most > TLS_IN) most = TLS_IN;
  for (int reads = 0; !tls->failed && !tls->closed; reads++) {
    if (reads == TLS_READS) {
      /* No event follows for what came before the last one. */
      tls->full = true;
      errno = EAGAIN;
      return -1;
    }
    const bool kept = bytes_left(&tls->rest) > 0;
    ssize_t count = 0;
    if (kept) {
      tls->at = tls->rest.memory + tls->rest.start;
      tls->end = tls->rest.memory + tls->rest.end;
    } else {
      do count = recv(fd, tls->memory->in, most, MSG_DONTWAIT);
      while (count < 0 && errno == EINTR);
      tls->full = count == (ssize_t)most;
      if (count <= 0) return count;
      tls->at = tls->memory->in;
      tls->end = tls->at + count;
    }
    const size_t got = decrypt(tls, to, room);
    if (!keep_rest(tls, kept)) tls->failed = true;
    if (kept || tls->closed || tls->failed || bytes_left(&tls->rest) > 0) tls->full = true;
    if (got > 0) return (ssize_t)got;
    if (bytes_left(&tls->rest) > 0 && !tls->failed && !tls->closed) reads = TLS_READS - 1;
  }
  if (tls->closed && !tls->failed) return 0;
  errno = EPROTO;
  return -1;
}

size_t tls_write(struct tls *tls, const uint8_t *bytes, size_t size) {
  const struct openssl *with = openssl();
  size_t done = 0;
  if (tls->failed) return 0;
  begin(tls);
  tls->waits = false;
  tls->records += size / TLS_PLAIN + 1;
  if (tls->records >= (tls->memory->rekey == 0 ? TLS_REKEY : tls->memory->rekey) && with->SSL_is_init_finished(tls->ssl) == 1) {
    tls->records = 0;
    if (with->SSL_key_update(tls->ssl, KEY_UPDATE_NOT_REQUESTED) != 1) fail(tls);
  }
  while (done < size && !tls->failed && !tls->waits) {
    const int count = with->SSL_write(tls->ssl, bytes + done, (int)(size - done));
    if (count > 0) done += (size_t)count;
    /* No record is begun then: it is written from other memory later. */
    else if (with->SSL_get_error(tls->ssl, count) == SSL_WANTS_READ) tls->waits = true;
    else fail(tls);
  }
  end(tls);
  return done;
}

void tls_end(struct tls *tls) {
  if (tls->failed) return;
  begin(tls);
  openssl()->SSL_shutdown(tls->ssl);
  end(tls);
}
