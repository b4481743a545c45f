/* Linked without -z defs: a function that nobody has is only missed when the library is loaded. */
#include "emplace/plugin.h"

int emplace_bad_nowhere(void);

static int32_t create(const emplace_configuration* configuration, void** instance, emplace_error* error) {
  (void)configuration, (void)instance, (void)error;
  return emplace_bad_nowhere();
}
static const void* get_extension(void* instance, const char* id, const char* rule) {
  (void)instance, (void)id, (void)rule;
  return NULL;
}
static void destroy(void* instance) { (void)instance; }

EMPLACE_PLUGIN_EXPORT const emplace_entry emplace_plugin_entry = {sizeof(emplace_entry),
                                                                  EMPLACE_ABI_MAJOR,
                                                                  EMPLACE_ABI_MINOR,
                                                                  0,
                                                                  "kit_missing_symbol",
                                                                  "1.0.0",
                                                                  create,
                                                                  get_extension,
                                                                  destroy};
