-- What other rows of the same bytes say of a film stands with the film too, so that every query finds it there
-- (db/listed_again.py). A row that lends it keeps it, and takes it along when its source no longer lists it.

ALTER TABLE mask ADD COLUMN listed_by INTEGER REFERENCES image ON DELETE CASCADE;
                                                -- the row that lends it, to whose source its file belongs; NULL: its own film
ALTER TABLE finding ADD COLUMN listed_by INTEGER REFERENCES image ON DELETE CASCADE;     -- the same
ALTER TABLE measurement ADD COLUMN listed_by INTEGER REFERENCES image ON DELETE CASCADE; -- the same
CREATE INDEX mask_lent ON mask (listed_by) WHERE listed_by IS NOT NULL;
CREATE INDEX finding_lent ON finding (listed_by) WHERE listed_by IS NOT NULL;
CREATE INDEX measurement_lent ON measurement (listed_by) WHERE listed_by IS NOT NULL;
CREATE INDEX image_listed_again ON image (duplicate_of) WHERE duplicate_of IS NOT NULL;

CREATE TABLE lent_fact (                        -- facts that a film's own row does not state, others of the same bytes do
    image_id INTEGER NOT NULL REFERENCES image ON DELETE CASCADE,
    fact     TEXT NOT NULL,                     -- column of image, the first where several make one fact
    PRIMARY KEY (image_id, fact)
) STRICT, WITHOUT ROWID;
