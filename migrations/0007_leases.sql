-- Leases: which replica runs a periodic job; the fence rises with every new holder and is checked by the statement that acts.
CREATE TABLE leases (
  name text PRIMARY KEY,
  holder text NOT NULL,
  fence bigint NOT NULL,
  expires_at timestamptz NOT NULL
);
