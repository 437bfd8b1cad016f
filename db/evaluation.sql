-- What an evaluation says of a film beside its scores.

CREATE TABLE predicted_quality (                -- also of films that nobody has drawn
    run_id         INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    image_id       INTEGER NOT NULL REFERENCES image ON DELETE CASCADE,
    structure      TEXT NOT NULL CHECK (structure IN ('right_lung', 'left_lung', 'heart', 'lungs')),
    predicted_dice REAL NOT NULL CHECK (predicted_dice BETWEEN 0 AND 1),
    doubtful       INTEGER NOT NULL CHECK (doubtful IN (0, 1)), -- 1: below the limit in the checkpoint
    PRIMARY KEY (run_id, image_id, structure)
) STRICT, WITHOUT ROWID;
CREATE INDEX predicted_quality_by_image ON predicted_quality (image_id);
