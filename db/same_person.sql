-- Who is one person is worked out anew at each ingest from what the sources state (db/patients.py); so that is kept here.

ALTER TABLE study ADD COLUMN stated_patient_id TEXT REFERENCES patient ON DELETE CASCADE;
                                                -- the id that its source gives; patient_id is the person. NULL: the same
UPDATE study SET stated_patient_id = coalesce((
    SELECT stated.patient_id FROM patient AS stated
    WHERE (stated.patient_id = study.patient_id OR stated.merged_into = study.patient_id)
      AND substr(study.study_id, 1, length(stated.patient_id) + 1) = stated.patient_id || ':'
    ORDER BY length(stated.patient_id) DESC LIMIT 1), patient_id);
CREATE INDEX study_by_stated_patient ON study (stated_patient_id);
CREATE INDEX split_by_patient ON split (patient_id);

CREATE TABLE same_person (                      -- pairs of ids that a source says are one person; the other need not be there
    source_id  INTEGER NOT NULL REFERENCES source ON DELETE CASCADE,
    patient_id TEXT NOT NULL,
    other_id   TEXT NOT NULL,
    PRIMARY KEY (source_id, patient_id, other_id)
) STRICT, WITHOUT ROWID;
-- why ids were merged before is not known: it holds until the source is read again
INSERT INTO same_person SELECT source_id, patient_id, merged_into FROM patient WHERE merged_into IS NOT NULL;

-- Takes the place of the view in persons.sql, which stays as it was released: databases are brought here step by step.
DROP VIEW film_person;

-- The sex that the person's ids state, NULL where they contradict each other; the age that the film's study states, or else
-- all rows of the same bytes. An age that cannot be is not stated (odd_values.sql lists what was said).
CREATE VIEW film_person (image_id, patient_id, sex, age_years, age_group) AS        -- one row per film; age_group NULL: not stated
SELECT image_id, patient_id, sex, age_years, CASE
    WHEN age_years < 18 THEN 'under 18'
    WHEN age_years < 40 THEN '18 to 39'
    WHEN age_years < 65 THEN '40 to 64'
    WHEN age_years >= 65 THEN '65 and over' END
FROM (
    SELECT image_id, patient_id, sex, CASE WHEN age > 0 AND age <= 110 THEN age END AS age_years
    FROM (
        SELECT image.image_id, study.patient_id,
               (SELECT CASE WHEN min(id.patient_sex) = max(id.patient_sex) THEN min(id.patient_sex) END
                FROM patient AS id WHERE id.patient_id = study.patient_id OR id.merged_into = study.patient_id) AS sex,
               coalesce(study.patient_age_years, (
                   SELECT CASE WHEN min(again.patient_age_years) = max(again.patient_age_years) THEN min(again.patient_age_years) END
                   FROM image AS copy JOIN study AS again USING (study_id) WHERE copy.duplicate_of = image.image_id)) AS age
        FROM image JOIN study USING (study_id)
    )
);
