-- Each measurement of a run's predicted masks beside the same of the reference masks and beside the source's own value.
-- Parameters: :run_id (of an evaluation). NULL: not measured there, or not stated.
SELECT measurement.name,
       measurement.unit,
       measurement.value AS predicted,
       measurement.spread,
       reference.value AS reference,
       stated.value AS stated,
       measurement.image_id,
       study.patient_id
FROM measurement
JOIN image USING (image_id)
JOIN study USING (study_id)
LEFT JOIN measurement AS reference ON reference.image_id = measurement.image_id AND reference.name = measurement.name
    AND reference.run_id = (SELECT max(run_id) FROM run WHERE parent_id = :run_id AND command = 'measure')
LEFT JOIN measurement AS stated ON stated.image_id = measurement.image_id AND stated.name = measurement.name
    AND stated.run_id IS NULL
WHERE measurement.run_id = :run_id
ORDER BY measurement.name, measurement.image_id
