-- Films that a network was used on, with or without a place in the tables above: one row per film and run of predict.py.

CREATE TABLE prediction (
    prediction_id INTEGER PRIMARY KEY,
    run_id        INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    image_id      INTEGER REFERENCES image ON DELETE SET NULL,    -- the film of this database with the same bytes
    file          TEXT NOT NULL,                -- its absolute path
    name          TEXT NOT NULL,                -- under which its masks and overlay are stored
    input_sha256  TEXT NOT NULL,                -- hash of the file's bytes
    network       TEXT NOT NULL,                -- hash of the checkpoint, and how it was used
    height        INTEGER NOT NULL CHECK (height > 0),  -- pixels
    width         INTEGER NOT NULL CHECK (width > 0),   -- pixels
    row_spacing_mm    REAL CHECK (row_spacing_mm > 0),
    column_spacing_mm REAL CHECK (column_spacing_mm > 0),
    review        TEXT NOT NULL,                -- what makes the masks doubtful, '; ' between; empty: nothing found
    remarks       TEXT NOT NULL,                -- what else was seen or done: grey levels inverted, writing in the picture
    predicted_dice REAL CHECK (predicted_dice BETWEEN 0 AND 1), -- of the lungs, as the network's own checkpoint predicts it
    strangeness   REAL CHECK (strangeness >= 0),-- distance from the training's films; above 1 it is called strange
    predicted_at  TEXT NOT NULL,                -- UTC, ISO 8601
    UNIQUE (run_id, file),
    UNIQUE (run_id, name)
) STRICT;
CREATE INDEX prediction_by_content ON prediction (input_sha256);

CREATE TABLE prediction_measurement (
    prediction_id INTEGER NOT NULL REFERENCES prediction ON DELETE CASCADE,
    name   TEXT NOT NULL,                       -- as in docs/measurements.md
    value  REAL NOT NULL,
    unit   TEXT NOT NULL,
    spread REAL CHECK (spread >= 0),            -- standard deviation over the views of the film, same unit, or NULL
    UNIQUE (prediction_id, name)
) STRICT;
