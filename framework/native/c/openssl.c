#define _GNU_SOURCE
#include "openssl.h"
#include "tls.h"
#include "tls-watch.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static struct openssl table;
static bool usable;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool find(const char *name, void *field) {
  void *symbol = dlsym(RTLD_DEFAULT, name);
  memcpy(field, &symbol, sizeof symbol);
  return symbol != NULL;
}

/* OpenSSL calls this file for as long as the process lives, also when the last thread that had loaded it has ended. */
static bool stay(void) {
  Dl_info info;
  return dladdr(&table, &info) != 0 && info.dli_fname != NULL &&
         dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE) != NULL;
}

static void load(void) {
#define OPENSSL_FIND(result, name, arguments)                                                                          \
  if (!find(#name, &table.name)) return;
  OPENSSL_FUNCTIONS(OPENSSL_FIND)
#undef OPENSSL_FIND
  const unsigned long version = table.OpenSSL_version_num();
  if (version < 0x30000000UL || version >= 0x40000000UL || !stay()) return;
  table.method = tls_method(&table);
  table.index = tls_watch_index(&table);
  usable = table.method != NULL && table.index > 0;
}

const struct openssl *openssl(void) {
  pthread_once(&once, load);
  return usable ? &table : NULL;
}
