#define _GNU_SOURCE
#include "address.h"
#include "batch.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

int32_t *rows_of(napi_env env, napi_value value, size_t count) {
  napi_typedarray_type type;
  size_t length = 0;
  void *data = NULL;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, NULL, NULL) != napi_ok) return NULL;
  return type == napi_int32_array && length >= count ? data : NULL;
}

napi_value invalid(napi_env env) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "invalid argument of the native part");
  return NULL;
}

napi_value number(napi_env env, int32_t value) {
  napi_value result = NULL;
  napi_create_int32(env, value, &result);
  return result;
}

void define_functions(napi_env env, napi_value exports, const struct function *functions, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const struct function *at = &functions[i];
    const napi_property_descriptor property = {at->name, NULL, at->call, NULL, NULL, NULL, napi_enumerable, NULL};
    napi_define_properties(env, exports, 1, &property);
  }
}

napi_value address_parse(napi_env env, napi_callback_info info) {
  napi_value arguments[2], result;
  size_t count = 2, length = 0;
  char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 2];
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  if (count < 2 || napi_get_value_string_utf8(env, arguments[0], text, sizeof text, &length) != napi_ok)
    return invalid(env);
  int32_t *row = rows_of(env, arguments[1], ROW_COLUMNS);
  if (row == NULL) return invalid(env);
  memset(row, 0, ROW_COLUMNS * sizeof *row);
  char *zone = strchr(text, '%');
  if (zone != NULL) *zone++ = '\0';
  bool good = length < sizeof text - 1 && strlen(text) + (zone == NULL ? 0 : strlen(zone) + 1) == length;
  if (good && zone == NULL && inet_pton(AF_INET, text, row + ROW_ADDRESS) == 1) row[ROW_FAMILY] = 4;
  else if (good && inet_pton(AF_INET6, text, row + ROW_ADDRESS) == 1) {
    row[ROW_FAMILY] = 6;
    if (zone != NULL) row[ROW_SCOPE] = (int32_t)if_nametoindex(zone);
    good = zone == NULL || row[ROW_SCOPE] != 0;
  } else good = false;
  napi_get_boolean(env, good, &result);
  return result;
}

napi_value address_format(napi_env env, napi_callback_info info) {
  napi_value arguments[2], result = NULL;
  size_t count = 2;
  int32_t at = 0;
  char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 2] = "";
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  if (count < 2 || napi_get_value_int32(env, arguments[1], &at) != napi_ok || at < 0) return invalid(env);
  const int32_t *row = rows_of(env, arguments[0], (size_t)at + ROW_COLUMNS);
  if (row == NULL) return invalid(env);
  row += at;
  inet_ntop(row[ROW_FAMILY] == 4 ? AF_INET : AF_INET6, row + ROW_ADDRESS, text, INET6_ADDRSTRLEN);
  if (row[ROW_FAMILY] == 6 && row[ROW_SCOPE] != 0 && IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *)(row + ROW_ADDRESS))) {
    const size_t end = strlen(text);
    text[end] = '%';
    if (if_indextoname((unsigned)row[ROW_SCOPE], text + end + 1) == NULL)
      snprintf(text + end + 1, IF_NAMESIZE, "%d", row[ROW_SCOPE]);
  }
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &result);
  return result;
}
