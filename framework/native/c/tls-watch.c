#define _GNU_SOURCE
#include "tls-watch.h"

#include <stdlib.h>

/* Of this thread. */
static __thread struct {
  bool on;
  int made;
  struct watched *first;
} now;

static void made(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long number, void *argument) {
  (void)value;
  (void)number;
  (void)argument;
  if (!now.on || ++now.made > 1) return;
  struct watched *watched = calloc(1, sizeof *watched);
  if (watched == NULL) return;
  if (openssl()->CRYPTO_set_ex_data(data, index, watched) != 1) {
    free(watched);
    return;
  }
  watched->ssl = parent;
  watched->references = 2;
  now.first = watched;
}

static int copied(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **value, int index, long number, void *argument) {
  (void)to;
  (void)from;
  (void)index;
  (void)number;
  (void)argument;
  *value = NULL;
  return 1;
}

static void freed(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long number, void *argument) {
  struct watched *watched = value;
  (void)parent;
  (void)data;
  (void)index;
  (void)number;
  (void)argument;
  if (watched == NULL) return;
  watched->ssl = NULL;
  tls_watch_release(watched);
}

int tls_watch_index(const struct openssl *with) {
  return with->CRYPTO_get_ex_new_index(EX_INDEX_SSL, 0, NULL, made, copied, freed);
}

void tls_watch_release(struct watched *watched) {
  if (watched != NULL && --watched->references == 0) free(watched);
}

bool tls_watch_begin(void) {
  tls_watch_release(tls_watch_end());
  now.on = openssl() != NULL;
  return now.on;
}

struct watched *tls_watch_end(void) {
  struct watched *only = now.first;
  if (now.made > 1) {
    tls_watch_release(only);
    only = NULL;
  }
  now.on = false;
  now.made = 0;
  now.first = NULL;
  return only;
}
