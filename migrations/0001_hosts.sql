-- Hosts, what they offer and how much of it is promised, so that a claim finds everything it must check under the lock of one row.
CREATE TABLE hosts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  source text NOT NULL,
  generation bigint NOT NULL DEFAULT 1,         -- raised when somebody changes the host; what If-Match means
  claims_generation bigint NOT NULL DEFAULT 0,  -- raised by every claim taken or given back
  zone text NOT NULL DEFAULT '',
  rack text NOT NULL DEFAULT '',
  state text NOT NULL,
  aggregates text[] NOT NULL DEFAULT '{}',
  traits text[] NOT NULL DEFAULT '{}',
  vcpus float8 NOT NULL,
  memory_mib float8 NOT NULL,
  disk_gib float8 NOT NULL,
  vcpus_reserved float8 NOT NULL DEFAULT 0,
  memory_reserved_mib float8 NOT NULL DEFAULT 0,
  disk_reserved_gib float8 NOT NULL DEFAULT 0,
  cpu_allocation_ratio float8 NOT NULL DEFAULT 1,
  ram_allocation_ratio float8 NOT NULL DEFAULT 1,
  disk_allocation_ratio float8 NOT NULL DEFAULT 1,
  vcpus_used float8 NOT NULL DEFAULT 0,         -- by vms and held claims, kept in the transaction that changes them
  memory_used_mib float8 NOT NULL DEFAULT 0,
  disk_used_gib float8 NOT NULL DEFAULT 0,
  cpu_util float8,
  memory_used_observed_mib float8,
  power_watts float8,
  observed_at_us bigint NOT NULL DEFAULT 0,
  nova_state text NOT NULL DEFAULT ''
) WITH (fillfactor = 70);

CREATE TABLE host_cells (
  host_id bigint NOT NULL REFERENCES hosts ON DELETE CASCADE,
  cell int NOT NULL,
  vcpus float8 NOT NULL,
  memory_mib float8 NOT NULL,
  vcpus_used float8 NOT NULL DEFAULT 0,
  memory_used_mib float8 NOT NULL DEFAULT 0,
  PRIMARY KEY (host_id, cell)
) WITH (fillfactor = 70);

CREATE TABLE fault_domains (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('zone', 'rack')),
  name text NOT NULL,
  generation bigint NOT NULL DEFAULT 0,
  UNIQUE (kind, name)
) WITH (fillfactor = 70);

CREATE TABLE aggregates (
  name text PRIMARY KEY,
  metadata text NOT NULL DEFAULT '{}'
);
