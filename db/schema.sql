-- The spine of the toolkit: what is known of a film, what was drawn on it, who is in which split, what every run scored and
-- what every mask measured. NULL means "not stated". DICOM tags in brackets name the attribute a column follows.

CREATE TABLE source (
    source_id   INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,           -- name of the reader or of the user's data set, e.g. montgomery
    root        TEXT NOT NULL,                  -- absolute folder that every file path below is relative to
    reader      TEXT NOT NULL,                  -- module of data/sources that read it
    rows_read   INTEGER NOT NULL DEFAULT 0,     -- rows the reader found, refused ones included
    ingested_at TEXT NOT NULL                   -- UTC, ISO 8601
) STRICT;

CREATE TABLE patient (
    patient_id  TEXT PRIMARY KEY,               -- 'source:id' [(0010,0020) within its source]
    source_id   INTEGER NOT NULL REFERENCES source ON DELETE CASCADE,
    patient_sex TEXT CHECK (patient_sex IN ('M', 'F', 'O')),    -- (0010,0040)
    merged_into TEXT REFERENCES patient DEFERRABLE INITIALLY DEFERRED
                                                -- the id that stands for this person; NULL: this one does
) STRICT;
CREATE INDEX patient_by_person ON patient (merged_into);

CREATE TABLE study (
    study_id          TEXT PRIMARY KEY,         -- 'source:patient:id' [(0020,000D)]; without an id the film's
    patient_id        TEXT NOT NULL REFERENCES patient ON DELETE CASCADE,   -- always the person, never a merged id
    patient_age_years REAL,                     -- (0010,1010), years; as stated, impossible values included
    study_date        TEXT,                     -- (0008,0020), ISO 8601 as far as stated: YYYY, YYYY-MM or YYYY-MM-DD
    offset_days       REAL                      -- days since the patient's first event, where the source says so
) STRICT;
CREATE INDEX study_by_patient ON study (patient_id);

CREATE TABLE image (
    image_id       INTEGER PRIMARY KEY,
    source_id      INTEGER NOT NULL REFERENCES source ON DELETE CASCADE,
    study_id       TEXT NOT NULL REFERENCES study ON DELETE CASCADE,
    file           TEXT NOT NULL,               -- path relative to source.root, '/'-separated
    duplicate_of   INTEGER REFERENCES image ON DELETE CASCADE,
                                                -- the same film listed again; such rows are counted, never selected
    modality       TEXT,                        -- (0008,0060): CR, DX, CT, MR ...
    view_position  TEXT,                        -- (0018,5101): PA, AP, LL, RL ...
    patient_position TEXT,                      -- 'SUPINE', 'ERECT', 'SEMIERECT' where the source says how the patient lay
    body_part_examined TEXT,                    -- (0018,0015): CHEST ...
    photometric_interpretation TEXT CHECK (photometric_interpretation IN ('MONOCHROME1', 'MONOCHROME2')), -- (0028,0004)
    rows           INTEGER NOT NULL CHECK (rows > 0),           -- (0028,0010), pixels
    columns        INTEGER NOT NULL CHECK (columns > 0),        -- (0028,0011), pixels
    bits_stored    INTEGER NOT NULL CHECK (bits_stored BETWEEN 1 AND 32),   -- (0028,0101)
    row_spacing_mm    REAL CHECK (row_spacing_mm > 0),          -- (0028,0030) first value, mm between rows
    column_spacing_mm REAL CHECK (column_spacing_mm > 0),       -- (0028,0030) second value, mm between columns
    spacing_origin TEXT,                        -- PixelSpacing, ImagerPixelSpacing, or the words of the source
    content_sha256 TEXT NOT NULL,               -- hash of the file's bytes
    note           TEXT,                        -- the source's own words about the film
    license        TEXT,
    CHECK ((row_spacing_mm IS NULL) = (column_spacing_mm IS NULL))
) STRICT;
CREATE UNIQUE INDEX image_once_per_file ON image (source_id, file) WHERE duplicate_of IS NULL;
CREATE INDEX image_by_study ON image (study_id);
CREATE INDEX image_by_content ON image (content_sha256);

CREATE TABLE finding (
    image_id INTEGER NOT NULL REFERENCES image ON DELETE CASCADE,
    finding  TEXT NOT NULL,                     -- one label of the source; several rows where it gives several
    PRIMARY KEY (image_id, finding)
) STRICT, WITHOUT ROWID;

CREATE TABLE mask (
    mask_id     INTEGER PRIMARY KEY,
    image_id    INTEGER NOT NULL REFERENCES image ON DELETE CASCADE,
    structure   TEXT NOT NULL CHECK (structure IN ('right_lung', 'left_lung', 'heart', 'lungs')),
    convention  TEXT NOT NULL CHECK (convention IN ('clear_field', 'includes_heart', 'projection')),
    provenance  TEXT NOT NULL CHECK (provenance IN ('manual', 'landmark', 'model', 'phantom')),
    file        TEXT,                           -- path relative to source.root
    rle         TEXT,                           -- or run-length code: 1-based 'start length' pairs, row-major
    lung_value  INTEGER,                        -- the grey value that means inside, where the file uses several
    scaled      INTEGER NOT NULL DEFAULT 0 CHECK (scaled IN (0, 1)),
                                                -- 1: published at another size than the film, to be scaled to it
    values_seen TEXT,                           -- grey values found in the file at ingest, e.g. '0 255'
    area_share  REAL CHECK (area_share BETWEEN 0 AND 1),        -- share of the film's pixels inside
    CHECK ((file IS NULL) <> (rle IS NULL)),
    UNIQUE (image_id, structure, convention, provenance)
) STRICT;

CREATE TABLE refusal (                          -- rows of a source that ingest would not take, and why
    refusal_id INTEGER PRIMARY KEY,
    source_id  INTEGER NOT NULL REFERENCES source ON DELETE CASCADE,
    file       TEXT NOT NULL,                   -- the film the row was about
    what       TEXT NOT NULL CHECK (what IN ('image', 'mask')), -- the whole row, or one of its masks alone
    reason     TEXT NOT NULL,                   -- short, the same words for the same fault, to count by
    detail     TEXT NOT NULL                    -- what was found, what was wanted, the fix
) STRICT;

CREATE TABLE split (
    split_set  TEXT NOT NULL,                   -- name of the draw, e.g. 'seed0' or 'seed0-fold1of5'
    patient_id TEXT NOT NULL REFERENCES patient ON DELETE CASCADE,
    split      TEXT NOT NULL CHECK (split IN ('train', 'val', 'test')),
    PRIMARY KEY (split_set, patient_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
    run_id      INTEGER PRIMARY KEY,
    command     TEXT NOT NULL,                  -- train, evaluate, measure, analyze, predict
    folder      TEXT NOT NULL,                  -- absolute path of its results
    parent_id   INTEGER REFERENCES run ON DELETE SET NULL,      -- the training whose checkpoint was used; of measure: the evaluation
    config      TEXT NOT NULL,                  -- the effective settings, JSON
    status      TEXT NOT NULL CHECK (status IN ('running', 'finished', 'interrupted', 'failed')),
    started_at  TEXT NOT NULL,                  -- UTC, ISO 8601
    finished_at TEXT                            -- UTC, ISO 8601
) STRICT;

CREATE TABLE measurement (
    measurement_id INTEGER PRIMARY KEY,
    image_id INTEGER NOT NULL REFERENCES image ON DELETE CASCADE,
    run_id   INTEGER REFERENCES run ON DELETE CASCADE,          -- who measured; NULL: the source's own value
    name     TEXT NOT NULL,                     -- cardiothoracic_ratio, heart_width_mm ... (docs/measurements.md)
    value    REAL NOT NULL,
    unit     TEXT NOT NULL,                     -- ratio, mm, mm2, deg, px, degC, % ...
    spread   REAL CHECK (spread >= 0)           -- standard deviation over repeated predictions, same unit, or NULL
) STRICT;
CREATE UNIQUE INDEX measurement_once ON measurement (image_id, name, coalesce(run_id, 0));

CREATE TABLE epoch (
    run_id          INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    epoch           INTEGER NOT NULL,           -- 1 is the first
    train_loss      REAL NOT NULL,              -- mean over the epoch's films
    val_loss        REAL,
    val_dice_lungs  REAL CHECK (val_dice_lungs BETWEEN 0 AND 1),   -- mean over films, at the epoch's size
    val_dice_heart  REAL CHECK (val_dice_heart BETWEEN 0 AND 1),
    learning_rate   REAL NOT NULL,              -- at the epoch's last step
    films_per_second REAL NOT NULL,
    seconds         REAL NOT NULL,              -- wall time, validation included
    PRIMARY KEY (run_id, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE score (
    run_id    INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    image_id  INTEGER NOT NULL REFERENCES image ON DELETE CASCADE,
    structure TEXT NOT NULL CHECK (structure IN ('right_lung', 'left_lung', 'heart', 'lungs')),
    split     TEXT CHECK (split IN ('train', 'val', 'test')),
    empty     TEXT NOT NULL DEFAULT 'none' CHECK (empty IN ('none', 'true', 'pred', 'both')), -- which mask had no pixel
    dice      REAL NOT NULL CHECK (dice BETWEEN 0 AND 1),
    iou       REAL NOT NULL CHECK (iou BETWEEN 0 AND 1),
    precision REAL CHECK (precision BETWEEN 0 AND 1),
    recall    REAL CHECK (recall BETWEEN 0 AND 1),
    specificity REAL CHECK (specificity BETWEEN 0 AND 1),
    balanced_accuracy REAL CHECK (balanced_accuracy BETWEEN 0 AND 1),
    relative_area_error REAL,                   -- (predicted - true) / true area
    hd_mm     REAL, hd95_mm REAL, assd_mm REAL, -- distances in mm where the spacing is known ...
    nsd_1mm   REAL, nsd_2mm REAL, nsd_4mm REAL,
    hd_px     REAL, hd95_px REAL, assd_px REAL, -- ... in pixels of the stored film where it is not; never both
    nsd_2px   REAL, nsd_4px REAL, nsd_8px REAL,
    components INTEGER CHECK (components >= 0), -- connected pieces of the predicted mask
    PRIMARY KEY (run_id, image_id, structure),
    CHECK (hd95_mm IS NULL OR hd95_px IS NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX score_by_image ON score (image_id);
