-- claims_by_host finds held claims as well: one index less to keep with every claim.
DROP INDEX claims_held_by_host;
