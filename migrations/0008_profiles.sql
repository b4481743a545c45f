-- Profiles that were changed over REST: they are data of the cluster, so that every replica ranks alike.
CREATE TABLE profiles (
  name text PRIMARY KEY,
  json text NOT NULL
);
