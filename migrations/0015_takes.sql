-- What claims and vms take of their hosts beyond amounts and cells (dedicated cores, PCI devices), so that two never get the same.
ALTER TABLE claims ADD COLUMN takes text NOT NULL DEFAULT '';
ALTER TABLE vms ADD COLUMN takes text NOT NULL DEFAULT '';
