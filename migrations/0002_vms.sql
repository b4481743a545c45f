-- Virtual machines and the groups they are members of; a vm keeps what is needed to start it again after a restart.
CREATE TABLE groups (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  policy text NOT NULL,
  max_per_host float8 NOT NULL DEFAULT 1,
  generation bigint NOT NULL DEFAULT 1,
  claims_generation bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70);

CREATE TABLE vms (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  host_id bigint REFERENCES hosts,  -- null: not placed
  state text NOT NULL,
  source text NOT NULL,
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
  claim_id uuid,                    -- the claim it was started with
  started boolean NOT NULL DEFAULT false,
  definition jsonb,                 -- the request, of vms that we start
  failure text NOT NULL DEFAULT ''
);
CREATE INDEX vms_by_host ON vms (host_id);
CREATE INDEX vms_by_name ON vms (name);
CREATE INDEX vms_by_group ON vms (group_id) WHERE group_id IS NOT NULL;
CREATE INDEX vms_by_spread_group ON vms (spread_group) WHERE spread_group <> '';
CREATE INDEX vms_started ON vms (id) WHERE started;
