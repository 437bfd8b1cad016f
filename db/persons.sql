-- The view film_person below is replaced by same_person.sql, a later migration.
-- Who is on a film, as every table counts it: an age that cannot be is not stated (odd_values.sql lists what
-- was said), and where a person's own id does not state the sex, another of the person's ids may.

CREATE VIEW film_person (image_id, patient_id, sex, age_years, age_group) AS        -- one row per film; age_group NULL: not stated
SELECT image_id, patient_id, patient_sex, age_years, CASE
    WHEN age_years < 18 THEN 'under 18'
    WHEN age_years < 40 THEN '18 to 39'
    WHEN age_years < 65 THEN '40 to 64'
    WHEN age_years >= 65 THEN '65 and over' END
FROM (
    SELECT image_id, patient_id,
           coalesce(patient_sex, (SELECT min(other.patient_sex) FROM patient AS other WHERE other.merged_into = patient.patient_id))
               AS patient_sex,
           CASE WHEN patient_age_years > 0 AND patient_age_years <= 110 THEN patient_age_years END AS age_years
    FROM image JOIN study USING (study_id) JOIN patient USING (patient_id)
);

DROP VIEW IF EXISTS film_group;      -- of databases of schema version 3: it had ages and sexes of its own

CREATE VIEW film_group (image_id, grouping, level) AS           -- one row per film and group; several for several findings
SELECT image_id, 'sex', coalesce(sex, 'not stated') FROM film_person
UNION ALL
SELECT image_id, 'age', coalesce(age_group, 'not stated') FROM film_person
UNION ALL
SELECT image_id, 'view', coalesce(view_position, 'not stated') FROM image
UNION ALL
SELECT image_id, 'source', source.name FROM image JOIN source USING (source_id)
UNION ALL
SELECT image_id, 'finding', finding FROM finding
UNION ALL
SELECT image_id, 'finding', 'not stated' FROM image WHERE NOT EXISTS (SELECT 1 FROM finding WHERE finding.image_id = image.image_id);
