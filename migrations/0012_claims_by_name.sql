-- A placement with unique_name asks which held claim has the name; and people give back claims by their age.
CREATE INDEX claims_held_by_name ON claims (vm_name) WHERE state = 'held';
ALTER TABLE claims ADD COLUMN taken_at_us bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
