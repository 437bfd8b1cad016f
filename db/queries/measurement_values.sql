-- One measurement by one measurer, with what is known of each film. Parameters: :source, :name, :run_id (NULL: the source's own).
SELECT measurement.value,
       image.image_id,
       image.view_position AS view,
       film_person.sex,
       film_person.age_years,
       source.name AS source,
       (SELECT group_concat(finding, '|') FROM finding WHERE finding.image_id = image.image_id) AS findings,
       study.patient_id
FROM measurement
JOIN image USING (image_id)
JOIN source USING (source_id)
JOIN study USING (study_id)
JOIN film_person USING (image_id)
WHERE image.duplicate_of IS NULL
  AND measurement.name = :name AND measurement.run_id IS :run_id
  AND (:source = 'all' OR instr(',' || :source || ',', ',' || source.name || ',') > 0)
ORDER BY study.patient_id, study.offset_days IS NULL, study.offset_days,
         study.study_date IS NULL, study.study_date, image.image_id
