-- Readings: when what a source of hosts and vms says (OpenStack) was last in the database as a whole, so that every replica knows a
-- cloud that was never read from one that is empty, and an old picture from a new one. Where hosts are there already, it was before now.
CREATE TABLE readings (
  source text PRIMARY KEY,
  read_at_us bigint NOT NULL
);
INSERT INTO readings (source, read_at_us)
  SELECT 'openstack', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
  WHERE EXISTS (SELECT 1 FROM hosts WHERE source = 'openstack');
