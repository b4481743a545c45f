-- Starts, moves and deletes of vms, under way and for a day after their end, so that whoever asked for one learns how it ended and why.
CREATE TABLE operations (
  id uuid PRIMARY KEY,             -- of the claim, of starts and moves
  kind text NOT NULL CHECK (kind IN ('start', 'move', 'delete')),
  vm uuid NOT NULL,
  vm_name text NOT NULL,
  host text NOT NULL,
  moved_from text NOT NULL DEFAULT '',
  state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'succeeded', 'failed', 'unknown')),
  progress float8,
  error text NOT NULL DEFAULT '',
  runner uuid NOT NULL,            -- the process that carries it out
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at timestamptz
);
CREATE INDEX operations_by_vm ON operations (vm);
CREATE INDEX operations_running ON operations (id) WHERE state = 'running';
CREATE INDEX operations_by_end ON operations (ended_at) WHERE ended_at IS NOT NULL;

-- Processes that carry out operations, and when they were last heard of.
CREATE TABLE runners (
  id uuid PRIMARY KEY,
  replica text NOT NULL,
  heard_at timestamptz NOT NULL
);

ALTER TABLE claims ADD COLUMN failure text NOT NULL DEFAULT '';  -- why its vm is not there yet, though it was tried
ALTER TABLE vms ADD COLUMN vcpus_max float8 NOT NULL DEFAULT 0;  -- as its hypervisor reports; 0: not known
ALTER TABLE vms ADD COLUMN memory_max_mib float8 NOT NULL DEFAULT 0;
