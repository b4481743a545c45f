/* A plugin in C99, without plugin.hpp: keeps every host, and costs the position of a host among the candidates. */
#include <stdlib.h>
#include <string.h>

#include "emplace/plugin.h"

static int32_t keep_all(void* self, const emplace_call* call, emplace_verdicts* verdicts, emplace_error* error) {
  (void)self, (void)error;
  for (uint32_t i = 0; i < call->candidate_count; ++i) verdicts->keep[i >> 6] |= (uint64_t)1 << (i & 63);
  verdicts->count = call->candidate_count;
  return EMPLACE_OK;
}

static int32_t explain(void* self, const emplace_call* call, uint32_t host, uint8_t reason, emplace_refusal* refusal,
                       emplace_error* error) {
  (void)self, (void)call, (void)host, (void)reason, (void)refusal;
  strcpy(error->message, "nothing was refused");
  return EMPLACE_FAILED;
}

static int32_t count(void* self, const emplace_call* call, emplace_costs* costs, emplace_error* error) {
  (void)self, (void)error;
  for (uint32_t i = 0; i < call->candidate_count; ++i) costs->costs[i] = i;
  costs->count = call->candidate_count;
  return EMPLACE_OK;
}

static const emplace_filter kFilter = {sizeof(emplace_filter), 0, NULL, keep_all, explain};
static const emplace_objective kObjective = {sizeof(emplace_objective), 0, NULL, count};

static int32_t create(const emplace_configuration* configuration, void** instance, emplace_error* error) {
  (void)configuration, (void)error;
  *instance = malloc(1);
  return *instance ? EMPLACE_OK : EMPLACE_FAILED;
}

static const void* get_extension(void* instance, const char* id, const char* rule) {
  (void)instance;
  if (strcmp(id, EMPLACE_FILTER) == 0 && strcmp(rule, "plain.filter") == 0) return &kFilter;
  if (strcmp(id, EMPLACE_OBJECTIVE) == 0 && strcmp(rule, "plain.cost") == 0) return &kObjective;
  return NULL;
}

EMPLACE_PLUGIN_EXPORT const emplace_entry emplace_plugin_entry = {
    sizeof(emplace_entry), EMPLACE_ABI_MAJOR, EMPLACE_ABI_MINOR, 0, "plain", "1.0.0", create, get_extension, free};
