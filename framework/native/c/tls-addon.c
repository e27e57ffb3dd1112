/* What JavaScript calls for links over TLS. */
#define _GNU_SOURCE
#include "address.h"
#include "call.h"
#include "tls-addon.h"
#include "tls-watch.h"
#include "yamux.h"

#include <errno.h>

static const napi_type_tag tag = {0x727973747261746cULL, 0x737761746368ULL};

static void finalize(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  tls_watch_release(data);
}

/* tlsWatch(): until tlsWatched, connections that OpenSSL makes are noticed. Whether they can be. */
static napi_value watch(napi_env env, napi_callback_info info) {
  napi_value result;
  (void)info;
  napi_get_boolean(env, tls_watch_begin(), &result);
  return result;
}

/* tlsWatched(): the one that was made since tlsWatch, undefined for none, or several. */
static napi_value watched(napi_env env, napi_callback_info info) {
  napi_value object = NULL;
  (void)info;
  struct watched *only = tls_watch_end();
  if (only == NULL) return NULL;
  if (napi_create_object(env, &object) == napi_ok && napi_type_tag_object(env, object, &tag) == napi_ok &&
      napi_wrap(env, object, only, finalize, NULL, NULL) == napi_ok)
    return object;
  tls_watch_release(only);
  return NULL;
}

static struct watched *watched_at(struct call *call, size_t index) {
  bool is = false;
  void *data = NULL;
  if (call->count <= index || napi_check_object_type_tag(call->env, call->arguments[index], &tag, &is) != napi_ok || !is)
    return NULL;
  return napi_unwrap(call->env, call->arguments[index], &data) == napi_ok ? data : NULL;
}

static struct link *link_at(struct call *call) {
  int32_t value = -1;
  return call->at->engine == NULL || !call_int(call, 0, &value) ? NULL : engine_link(call->at->engine, value);
}

/* linkSecure(link, watched, handle, finished, sent): the link is that of a connection of TLS, whose handle Node keeps until the link
   is closed. 0, or -errno. */
static napi_value secure(napi_env env, napi_callback_info info) {
  struct call call;
  uint8_t *data = NULL;
  size_t size = 0;
  double sent = 0;
  call_begin(&call, env, info);
  struct link *link = link_at(&call);
  struct watched *watched = watched_at(&call, 1);
  if (link == NULL || watched == NULL || link->tls != NULL || !call_buffer(&call, 3, &data, &size) || call.count < 5 ||
      napi_get_value_double(env, call.arguments[4], &sent) != napi_ok)
    return invalid(env);
  if (watched->ssl == NULL) return number(env, -ENOTCONN);
  if (napi_create_reference(env, call.arguments[2], 1, &link->tls_ref) != napi_ok) return invalid(env);
  return number(env, link_secure(link, watched->ssl, data, size, sent));
}

/* linkReason(link): why TLS has failed; empty otherwise. */
static napi_value reason(napi_env env, napi_callback_info info) {
  struct call call;
  napi_value result;
  call_begin(&call, env, info);
  const struct link *link = link_at(&call);
  const char *text = link == NULL || link->tls == NULL || link->tls->reason == NULL ? "" : link->tls->reason;
  return napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &result) == napi_ok ? result : NULL;
}

/* tlsRekey(records): for specs. Keys of the thread's links are changed after so many records; 0: as usual. */
static napi_value rekey(napi_env env, napi_callback_info info) {
  struct call call;
  int32_t records = -1;
  call_begin(&call, env, info);
  struct engine *engine = call.at->engine;
  if (engine == NULL || engine->tls == NULL || !call_int(&call, 0, &records) || records < 0) return invalid(env);
  engine->tls->rekey = (uint64_t)records;
  return NULL;
}

void tls_functions(napi_env env, napi_value exports) {
  const struct function functions[] = {
      {"tlsWatch", watch},
      {"tlsWatched", watched},
      {"linkSecure", secure},
      {"linkReason", reason},
      {"tlsRekey", rekey},
  };
  define_functions(env, exports, functions, sizeof functions / sizeof *functions);
}
