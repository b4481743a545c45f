-- What is known between things: traffic and data sources of vms by name (a vm may be expected before it exists), and page samples.
CREATE TABLE traffic (
  a text NOT NULL,
  b text NOT NULL,
  bytes_per_s float8 NOT NULL,
  observed_at_us bigint NOT NULL,
  PRIMARY KEY (a, b)
);
CREATE INDEX traffic_by_b ON traffic (b);

CREATE TABLE data_sources (
  vm text NOT NULL,
  source text NOT NULL,
  bytes_per_s float8 NOT NULL,
  observed_at_us bigint NOT NULL,
  PRIMARY KEY (vm, source)
);

CREATE TABLE source_hosts (
  source text PRIMARY KEY,
  hosts text[] NOT NULL
);

CREATE TABLE page_samples (
  vm text PRIMARY KEY,
  pages float8 NOT NULL,
  zero_pages float8 NOT NULL,
  distinct_pages float8 NOT NULL,
  rate bigint NOT NULL,
  observed_at_us bigint NOT NULL,
  hashes bytea NOT NULL  -- sorted, little-endian 64-bit
);
