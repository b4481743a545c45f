-- An event says who made the change, so that an operator need not guess. A replica of the release before leaves it empty.
ALTER TABLE events ADD COLUMN actor text NOT NULL DEFAULT '';
