-- What lists of decisions are narrowed by. Decisions of before stay without it, and go with the time they are kept.
ALTER TABLE decisions
  ADD COLUMN vm_name text NOT NULL DEFAULT '',
  ADD COLUMN project text NOT NULL DEFAULT '',
  ADD COLUMN host text NOT NULL DEFAULT '',       -- of the first vm; empty: none fits
  ADD COLUMN vms uuid[] NOT NULL DEFAULT '{}';    -- of a request for several
CREATE INDEX decisions_by_vm ON decisions (vm);
CREATE INDEX decisions_by_vms ON decisions USING gin (vms) WHERE vms <> '{}';
CREATE INDEX decisions_by_project ON decisions (project, made_at_us);
