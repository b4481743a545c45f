-- Every change of shared state in the order of its commit: event_head's row lock makes the order of seq the order of commits.
CREATE TABLE event_head (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  seq bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO event_head (seq) VALUES (0);

CREATE TABLE events (
  seq bigint PRIMARY KEY,
  at_us bigint NOT NULL,
  kind text NOT NULL,
  payload text NOT NULL
);
CREATE INDEX events_by_time ON events (at_us);
