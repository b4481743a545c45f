-- Hosts that were named to a scheduler which takes them itself (Nova): every replica counts them, and a restarted one.
CREATE TABLE reservations (
  vm uuid PRIMARY KEY,
  host text NOT NULL,
  payload text NOT NULL,  -- the vm's row in the picture, as an event has it
  expires_at_us bigint NOT NULL
);
CREATE INDEX reservations_by_expiry ON reservations (expires_at_us);
