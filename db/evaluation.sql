-- What an evaluation says of a film beside its scores, and the groups that a film belongs to.

CREATE TABLE predicted_quality (                -- also of films that nobody has drawn
    run_id         INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    image_id       INTEGER NOT NULL REFERENCES image ON DELETE CASCADE,
    structure      TEXT NOT NULL CHECK (structure IN ('right_lung', 'left_lung', 'heart', 'lungs')),
    predicted_dice REAL NOT NULL CHECK (predicted_dice BETWEEN 0 AND 1),
    doubtful       INTEGER NOT NULL CHECK (doubtful IN (0, 1)), -- 1: below the limit in the checkpoint
    PRIMARY KEY (run_id, image_id, structure)
) STRICT, WITHOUT ROWID;
CREATE INDEX predicted_quality_by_image ON predicted_quality (image_id);

CREATE VIEW film_group (image_id, grouping, level) AS           -- one row per film and group; several for several findings
SELECT image_id, 'sex', coalesce(patient_sex, 'not stated')
FROM image JOIN study USING (study_id) JOIN patient USING (patient_id)
UNION ALL
SELECT image_id, 'age', CASE
    WHEN patient_age_years IS NULL OR patient_age_years <= 0 OR patient_age_years > 110 THEN 'not stated'
    WHEN patient_age_years < 18 THEN 'under 18'
    WHEN patient_age_years < 40 THEN '18 to 39'
    WHEN patient_age_years < 65 THEN '40 to 64'
    ELSE '65 and over' END
FROM image JOIN study USING (study_id)
UNION ALL
SELECT image_id, 'view', coalesce(view_position, 'not stated') FROM image
UNION ALL
SELECT image_id, 'source', source.name FROM image JOIN source USING (source_id)
UNION ALL
SELECT image_id, 'finding', finding FROM finding
UNION ALL
SELECT image_id, 'finding', 'not stated' FROM image WHERE NOT EXISTS (SELECT 1 FROM finding WHERE finding.image_id = image.image_id);
