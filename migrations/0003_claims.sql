-- Claims: resources of a host promised to a vm until it is seen there; the cells it was promised stay with the claim.
CREATE TABLE claims (
  id uuid PRIMARY KEY,
  vm uuid NOT NULL,
  vm_name text NOT NULL,
  host_id bigint NOT NULL REFERENCES hosts ON DELETE CASCADE,
  state text NOT NULL CHECK (state IN ('held', 'confirmed', 'expired')),
  project text NOT NULL DEFAULT '',
  group_id bigint REFERENCES groups,
  vcpus float8 NOT NULL,
  memory_mib float8 NOT NULL,
  disk_gib float8 NOT NULL,
  numa_nodes int NOT NULL DEFAULT 0,
  cells int[] NOT NULL DEFAULT '{}',
  spread_by text NOT NULL DEFAULT 'none',
  spread_group text NOT NULL DEFAULT '',
  spread_domain text NOT NULL DEFAULT '',
  start boolean NOT NULL,
  move boolean NOT NULL,
  definition jsonb NOT NULL,
  generation bigint NOT NULL,
  expires_at_us bigint NOT NULL
);
CREATE UNIQUE INDEX claims_held_by_vm ON claims (vm) WHERE state = 'held';
CREATE INDEX claims_held_by_host ON claims (host_id) WHERE state = 'held';
CREATE INDEX claims_held_by_group ON claims (group_id) WHERE state = 'held' AND group_id IS NOT NULL;
CREATE INDEX claims_held_by_spread_group ON claims (spread_group) WHERE state = 'held' AND spread_group <> '';
CREATE INDEX claims_by_host ON claims (host_id);
CREATE INDEX claims_by_vm ON claims (vm);
CREATE INDEX claims_by_expiry ON claims (expires_at_us) WHERE state IN ('held', 'expired');
