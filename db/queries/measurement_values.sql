-- Every clinical measurement with the film it was taken on and who took it ('source' or the run's number). Parameters: :source.
SELECT measurement.name,
       measurement.unit,
       measurement.value,
       coalesce('run ' || measurement.run_id, 'source') AS measured_by,
       image.image_id,
       image.view_position AS view,
       patient.patient_sex AS sex,
       study.patient_id
FROM measurement
JOIN image USING (image_id)
JOIN source USING (source_id)
JOIN study USING (study_id)
JOIN patient ON patient.patient_id = study.patient_id
WHERE image.duplicate_of IS NULL
  AND (:source = 'all' OR instr(',' || :source || ',', ',' || source.name || ',') > 0)
ORDER BY measurement.name, image.image_id
