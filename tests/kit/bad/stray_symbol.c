/* Linked without the version script, as by hand: a helper that is not static is exported. */
#include "emplace/plugin.h"

int emplace_bad_helper(void);
int emplace_bad_helper(void) { return 1; }

static int32_t create(const emplace_configuration* configuration, void** instance, emplace_error* error) {
  (void)configuration, (void)error;
  static int nothing;
  *instance = &nothing;
  return EMPLACE_OK;
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
                                                                  "kit_stray_symbol",
                                                                  "1.0.0",
                                                                  create,
                                                                  get_extension,
                                                                  destroy};
