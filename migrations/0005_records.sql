-- Decisions for replay, and answers kept for idempotency keys; both are written in the transaction of the claims they belong to.
CREATE TABLE decisions (
  id uuid PRIMARY KEY,
  vm uuid NOT NULL,
  profile text NOT NULL,
  replica text NOT NULL,
  picture_version bigint NOT NULL,
  event_seq bigint NOT NULL,
  made_at_us bigint NOT NULL,
  request text NOT NULL,
  document text NOT NULL
);
CREATE INDEX decisions_by_time ON decisions (made_at_us);

CREATE TABLE idempotency (
  key text NOT NULL,
  token text NOT NULL,
  body_hash text NOT NULL,
  status int NOT NULL,
  answer text NOT NULL,
  expires_at_us bigint NOT NULL,
  PRIMARY KEY (key, token)
);
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at_us);
