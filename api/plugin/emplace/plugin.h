/* The contract between Emplace and a plugin, as a C ABI. plugin.hpp wraps it for C++20; nothing of C++ crosses it.
 *
 * A plugin is one shared object and one manifest beside it. It knows rules: filters (may this vm run on that host?),
 * objectives (what does it cost to have it there?) and weighers (Nova's: how good is it there?). It does no I/O, writes
 * no log, starts no threads, and keeps no state that it could not make again from the picture. The same shared object
 * may be loaded into the service itself or into a worker process that sees the same memory, read-only, at another
 * address.
 *
 * Life of a plugin, per process that loads it:
 *
 *   emplace_plugin_entry -> create -> get_extension*
 *     -> { observe | forget | screen | explain | evaluate | weigh | take }* -> destroy
 *
 * The library is never unloaded. There is one instance per configuration; several may live side by side.
 *
 * Threads. Any thread of the host may make any call. Calls on one instance never overlap, unless the manifest says
 * "reentrant": true; then screen, explain, evaluate, weigh and take may overlap each other, but never create, observe,
 * forget or destroy. A plugin must not keep state in thread-local storage between calls, and must not throw, longjmp or
 * exit.
 *
 * Memory. Everything that the host hands over stays the host's, is read-only unless it is called a result, and is valid
 * until the call returns; the exceptions are named where they apply. Everything that the plugin hands over (the entry,
 * an extension, an instance) stays the plugin's and stays valid until destroy. Nobody frees what the other one
 * allocated.
 *
 * Versions. A plugin is loaded when its abi_major is the host's and its abi_minor is not newer than the host's. Every
 * struct starts with its own size in bytes, as its writer compiled it: a field lies in the struct only if its end is
 * within `size`. Fields are only ever added at an end, with a new minor. Elements of arrays of structs are `size` bytes
 * apart, not sizeof: step with the functions at the end of this file. Meanings never change: an extension that changes
 * gets a new id.
 *
 * Text is UTF-8. A `const char*` ends with NUL; text with a length beside it does not.
 */
#ifndef EMPLACE_PLUGIN_H
#define EMPLACE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EMPLACE_ABI_MAJOR 1
#define EMPLACE_ABI_MINOR 2

#if defined(__GNUC__)
#define EMPLACE_PLUGIN_EXPORT __attribute__((visibility("default")))
#else
#define EMPLACE_PLUGIN_EXPORT
#endif

/* Extension ids. An id names a struct and the meaning of its functions, for ever.
 * Reserved for later, not to be used by anybody else: "emplace.objective.delta/1" (totals per host that a search can
 * move vms in) and "emplace.planner/1" (proposes moves). */
#define EMPLACE_FILTER "emplace.filter/1"       /* emplace_filter, per rule */
#define EMPLACE_OBJECTIVE "emplace.objective/1" /* emplace_objective, per rule */
#define EMPLACE_WEIGHER "emplace.weigher/1"     /* emplace_weigher, per rule */
#define EMPLACE_OBSERVER "emplace.observer/1"   /* emplace_observer, one per instance; the rule is "" */
#define EMPLACE_CONSUMER "emplace.consumer/1"   /* emplace_consumer, one per instance; the rule is ""; since 1.2 */

/* ---- errors ---- */

/* What a call returns. Anything but EMPLACE_OK makes the host drop the call's results, say so in the answer, and do
 * what its configuration says (a filter that cannot answer keeps no host). */
enum { EMPLACE_OK = 0, EMPLACE_FAILED = 1 };

/* Where a call that fails writes why, in one sentence for an operator: what was wanted and what was found. Prepared by
 * the host with an empty message; cut off at 1,023 bytes. */
typedef struct emplace_error {
  uint32_t size;
  char message[1024];
} emplace_error;

/* ---- tables ---- */

/* What the values of a column are. "Valid" is said by the validity bitmap; the bits of an invalid value mean nothing,
 * and an invalid value was never measured or does not apply: it is not zero. */
enum {
  EMPLACE_F64 = 1,      /* double */
  EMPLACE_I64 = 2,      /* int64_t */
  EMPLACE_U32 = 3,      /* uint32_t; where `refers_to` names a table, a row of that table */
  EMPLACE_U8 = 4,       /* uint8_t; booleans are 0 and 1 */
  EMPLACE_UUID = 5,     /* 16 bytes, most significant first */
  EMPLACE_UTF8 = 6,     /* bytes; row r is values[offsets[r]] up to values[offsets[r + 1]] */
  EMPLACE_LIST_U32 = 7, /* uint32_t; row r is values[offsets[r]] up to values[offsets[r + 1]] */
  EMPLACE_SPAN_U64 = 8  /* emplace_span; sorted uint64_t that lie elsewhere in the shared memory */
};

/* `count` values of 64 bits at view->memory_base + offset. The offset means the same in every process. */
typedef struct emplace_span {
  uint64_t offset;
  uint64_t count;
} emplace_span;

/* A stretch of neighbouring rows of a column, in Apache Arrow's physical layout, 64-byte aligned. */
typedef struct emplace_chunk {
  uint32_t size;
  uint32_t rows;
  const void* values;         /* by type, as above; `rows` of them, or as many as the last offset says */
  const uint8_t* validity;    /* bit r & 7 of byte r >> 3 is 1: row r is valid; NULL: all are */
  const uint32_t* offsets;    /* rows + 1 of them; NULL for types without */
  const int64_t* observed_at; /* microseconds since the epoch, 0 never; NULL: not an observed column */
} emplace_chunk;

/* Row r of a column is row r & ((1 << chunk_shift) - 1) of chunk r >> chunk_shift. */
typedef struct emplace_column {
  uint32_t size;
  uint32_t type;
  const char* name;      /* "memory_mib" */
  const char* unit;      /* "MiB", "GiB", "B/s", "W", "ratio", ...; "" for none */
  const char* refers_to; /* the table whose rows the values are ("hosts", or "strings" for codes); NULL: none */
  uint32_t chunk_shift;
  uint32_t chunk_count;
  const emplace_chunk* chunks;
} emplace_column;

/* Rows are stable while what they describe lives; a row that was removed stays as a tombstone (column "alive" = 0, all
 * other values invalid) and may later be used by another. Nothing that reaches an answer may depend on row numbers. */
typedef struct emplace_table {
  uint32_t size;
  uint32_t rows; /* with tombstones */
  const char* name;
  uint32_t column_count;
  uint32_t reserved;
  const emplace_column* columns;
} emplace_table;

/* A picture: an immutable view of the whole cluster. It holds the columns that the manifest names ("hosts.memory_mib")
 * and no others; all views given to one instance hold the same tables and columns in the same order, so that positions
 * may be remembered. Which tables and columns there are is the service's schema, documented with it; a column's name,
 * unit and type never change. */
typedef struct emplace_view {
  uint32_t size;
  uint32_t table_count;
  const emplace_table* tables;
  uint64_t identity;  /* two views with one identity have the same contents; unique also among what-ifs and replays */
  uint64_t version;   /* counts publications; for people */
  int64_t made_at_us; /* microseconds since the epoch */
  const unsigned char* memory_base;
} emplace_view;

/* ---- a call ---- */

/* One question about one request. The tables of the request are small, so that no rule's work need grow with the number
 * of vms; like the picture's they hold only what the manifest names:
 *
 *   request               one row: id, name, project, zone, group, image, flavor (utf8, id a uuid); vcpus, memory_mib,
 *                         disk_gib (f64), numa_nodes (u32); vm, group_row, zone_code, host (u32: rows of vms, groups
 *                         and strings, and the host where the vm is now; invalid when there is none); pages,
 *                         zero_pages, distinct_pages (f64), sample_rate (i64), page_samples (span): the vm's own, or
 *                         invalid
 *   request_members       host, count (u32): members of the vm's group by host, without the vm itself, by rising host
 *   request_peers         vm, host (u32; host invalid: not placed), bytes_per_s (f64): whom the vm talks to
 *   request_data_sources  source (u32), bytes_per_s (f64): what the vm reads
 *   request_source_hosts  source, host (u32): where those sources have a copy
 */
typedef struct emplace_call {
  uint32_t size;
  uint32_t request_table_count;
  const emplace_view* picture;
  const emplace_table* request_tables;
  const uint32_t* candidates; /* rows of hosts, rising, none twice */
  uint32_t candidate_count;
  uint32_t reserved;
  const char* document; /* the request as it came, JSON */
  uint64_t document_bytes;
  const char* nova_spec; /* the RequestSpec primitive that it came as, JSON; 0 bytes: not from Nova */
  uint64_t nova_spec_bytes;
  int64_t now_us; /* the wall clock of the decision, microseconds since the epoch: the only clock to judge ages by */
  int64_t deadline_us; /* CLOCK_MONOTONIC, microseconds: when the answer is wanted; 0: no hurry. A plugin may give up
                          with an error, but must not answer differently because time is short */
} emplace_call;

/* ---- emplace.filter/1 ---- */

/* The result of screen(). All pointers are prepared by the host: keep has (candidate_count + 63) / 64 words, reasons
 * has candidate_count bytes, all zero. The plugin sets bit i & 63 of keep[i >> 6] for each candidate i that may run the
 * vm, gives each other one a reason from 1 to 255, and writes the number of candidates it looked at, which must be all.
 *
 * Since 1.2 a candidate that is kept may have a reason, too: it could not be judged, for want of data. explain() then
 * says in `wanted` what the request asks for, and in `found` what is not known. The host says so in its answer. */
typedef struct emplace_verdicts {
  uint32_t size;
  uint32_t count; /* written by the plugin */
  uint64_t* keep;
  uint8_t* reasons;
} emplace_verdicts;

enum { EMPLACE_NOTHING = 0, EMPLACE_NUMBER = 1, EMPLACE_TEXT = 2 };

/* Why a host was refused, as data. Prepared by the host, all zero. Texts end with NUL and are cut off by the plugin. */
typedef struct emplace_refusal {
  uint32_t size;
  uint32_t wanted_kind; /* which of the two below holds: EMPLACE_NOTHING, _NUMBER, _TEXT */
  uint32_t found_kind;
  uint32_t reserved;
  double wanted_number;
  double found_number;
  char code[64]; /* stable, lower case, starts with the filter's name: "capacity.memory" */
  char unit[16]; /* of the numbers */
  char wanted_text[256];
  char found_text[256];
} emplace_refusal;

typedef struct emplace_filter {
  uint32_t size;
  uint32_t reserved;
  void* self; /* given back as the first argument */

  /* Judges all candidates. At most once per request and picture, usually with fewer candidates each time; the same
   * question gets the same answer. The order of candidates, and which others there are, changes no candidate's verdict.
   */
  int32_t (*screen)(void* self, const emplace_call* call, emplace_verdicts* verdicts, emplace_error* error);

  /* Says why: `host` (a row) was refused, or kept, with `reason` by a screen() of the same request and picture. Only
   * when somebody asks; rarely. `call` has no candidates. */
  int32_t (*explain)(void* self, const emplace_call* call, uint32_t host, uint8_t reason, emplace_refusal* refusal,
                     emplace_error* error);
} emplace_filter;

/* ---- emplace.objective/1 ---- */

enum {
  EMPLACE_QUALITY_OK = 0,
  EMPLACE_QUALITY_STALE = 1,  /* made from observations that are older than they should be */
  EMPLACE_QUALITY_NO_DATA = 2 /* there is no cost for this candidate; its value is not looked at */
};

/* The result of evaluate(). costs and quality have room for candidate_count values; costs are prepared as NaN, quality
 * as OK. The plugin writes both for each candidate, in the order of the candidates, and how many it wrote, which must
 * be all. A cost that is not finite where quality is not NO_DATA makes the host refuse the whole result. */
typedef struct emplace_costs {
  uint32_t size;
  uint32_t count; /* written by the plugin */
  double* costs;
  uint8_t* quality;
} emplace_costs;

typedef struct emplace_objective {
  uint32_t size;
  uint32_t reserved;
  void* self;

  /* The marginal cost of having the vm on each candidate, everything else being as in the picture: lower is better, in
   * the unit that the manifest names. All NO_DATA: nothing is known about this vm. The same question gets the same
   * bits. */
  int32_t (*evaluate)(void* self, const emplace_call* call, emplace_costs* costs, emplace_error* error);
} emplace_objective;

/* ---- emplace.weigher/1 ---- */

/* The result of weigh(). values and multipliers have room for candidate_count doubles, prepared as NaN. A count of 1
 * (since 1.1): values[0] is that of every candidate, and no other is written. A multiplier left NaN means the profile's
 * own. Where a bound is given, values are clamped to it and it takes the place of the smallest (largest) value when the
 * host normalises to 0..1. */
typedef struct emplace_weights {
  uint32_t size;
  uint32_t count; /* written by the plugin: candidate_count, or 1 */
  double* values; /* higher wins; finite */
  double* multipliers;
  uint32_t has_minimum;
  uint32_t has_maximum;
  double minimum;
  double maximum;
} emplace_weights;

typedef struct emplace_weigher {
  uint32_t size;
  uint32_t reserved;
  void* self;
  int32_t (*weigh)(void* self, const emplace_call* call, emplace_weights* weights, emplace_error* error);
} emplace_weigher;

/* ---- emplace.observer/1 ---- */

/* Rows of one observed column whose value, validity or time of observation differ between two pictures, rising. A row
 * that did not change may be listed; one that changed always is, also when only one of the two pictures has it. */
typedef struct emplace_changed_rows {
  uint32_t size;
  uint32_t table;  /* position in view->tables */
  uint32_t column; /* position in that table's columns */
  uint32_t count;
  const uint32_t* rows;
} emplace_changed_rows;

/* For plugins that keep an index instead of making it for each request. Several pictures are alive at a time (requests
 * that overlap, what-ifs, replays of old ones), so an index must be kept per identity; make them share what did not
 * change. */
typedef struct emplace_observer {
  uint32_t size;
  uint32_t reserved;
  void* self;

  /* `after` is about to be used: until forget(after->identity), the picture of any call is one that was observed so.
   * `before` is an observed picture that was not forgotten, or NULL: then `after` is to be read from scratch. There is
   * one entry in `changes` for each observed column (manifest: observer.columns) that has changed rows. Both views, and
   * all they lead to, stay valid and unchanged until their forget(); the index may point into them. After an error
   * `after` does not count as observed. The index must not depend on which `before` it was made from. */
  int32_t (*observe)(void* self, const emplace_view* before, const emplace_view* after,
                     const emplace_changed_rows* changes, uint32_t change_count, emplace_error* error);

  /* No call will use that picture again, unless it is observed once more. */
  void (*forget)(void* self, uint64_t identity);
} emplace_observer;

/* ---- emplace.consumer/1 ---- */

/* The result of take(): a JSON object, of at most `capacity` bytes in `text`, which the host prepared; `bytes`, written
 * by the plugin, is its length, 0: the vm takes nothing. Members, each of which may be absent:
 *
 *   takes  [[name, amount, limit], ...]: what the vm takes of the host beyond the columns' amounts (a dedicated core,
 *          pages, a device), by names that mean the same amount of one host for ever, and how much of each there is for
 *          all vms whose row in the picture says what they take. The host sees to it that claims keep the limits. It
 *          comes back, as a text, in the column vms.takes of the row that stands for the vm: the plugin counts it from
 *          there.
 *   spec   an object: members of the RequestSpec (below nova_object.data) for the next vm of the same request. */
typedef struct emplace_taking {
  uint32_t size;
  uint32_t capacity;
  uint32_t bytes; /* written by the plugin */
  uint32_t reserved;
  char* text;
} emplace_taking;

typedef struct emplace_consumer {
  uint32_t size;
  uint32_t reserved;
  void* self;

  /* What the vm takes of `host` (a row), which will be named for it. `call` has no candidates. Where the vm does not
   * fit it takes nothing: to refuse is for filters. The same question gets the same answer. */
  int32_t (*take)(void* self, const emplace_call* call, uint32_t host, emplace_taking* taking, emplace_error* error);
} emplace_consumer;

/* ---- the plugin itself ---- */

/* The configuration, checked against the manifest's schema, defaults filled in: as a JSON object, and as a table of one
 * row (numbers and integers f64, booleans u8, strings utf8; anything else as its JSON text, utf8; null invalid). */
typedef struct emplace_configuration {
  uint32_t size;
  uint32_t reserved;
  const char* json;
  uint64_t json_bytes;
  const emplace_table* table;
} emplace_configuration;

/* The one symbol that a plugin exports: `EMPLACE_PLUGIN_EXPORT const emplace_entry emplace_plugin_entry = {...};` It is
 * read before any function is called, and its first three fields before any other. */
typedef struct emplace_entry {
  uint32_t size;
  uint32_t abi_major; /* EMPLACE_ABI_MAJOR */
  uint32_t abi_minor; /* EMPLACE_ABI_MINOR */
  uint32_t reserved;
  const char* id;      /* as in the manifest */
  const char* version; /* as in the manifest */

  /* Makes an instance. Once per configuration, and once more in a process of its own before that, to see that it can be
   * done; so it must be quick, and must not depend on having been called before. */
  int32_t (*create)(const emplace_configuration* configuration, void** instance, emplace_error* error);

  /* The extension `id` of the rule `rule` (as in the manifest), or NULL. Called after create for all rules of the
   * manifest, which must be there, and for the observer. */
  const void* (*get_extension)(void* instance, const char* id, const char* rule);

  void (*destroy)(void* instance);
} emplace_entry;

extern EMPLACE_PLUGIN_EXPORT const emplace_entry emplace_plugin_entry;

/* ---- stepping through arrays of structs that may be longer than this header knows ---- */

static inline const emplace_table* emplace_table_at(const emplace_table* tables, uint32_t i) {
  return (const emplace_table*)((const unsigned char*)tables + (size_t)i * tables->size);
}
static inline const emplace_column* emplace_column_at(const emplace_table* table, uint32_t i) {
  return (const emplace_column*)((const unsigned char*)table->columns + (size_t)i * table->columns->size);
}
static inline const emplace_chunk* emplace_chunk_at(const emplace_column* column, uint32_t i) {
  return (const emplace_chunk*)((const unsigned char*)column->chunks + (size_t)i * column->chunks->size);
}
static inline const emplace_changed_rows* emplace_changed_rows_at(const emplace_changed_rows* changes, uint32_t i) {
  return (const emplace_changed_rows*)((const unsigned char*)changes + (size_t)i * changes->size);
}

#ifdef __cplusplus
}
#endif

#endif
