-- The scores of one evaluation with the facts of each film, for grouping. Parameters: :run_id.
SELECT score.structure,
       score.dice,
       score.image_id,
       source.name AS source,
       study.patient_id,
       patient.patient_sex AS sex,
       study.patient_age_years AS age_years,
       CASE WHEN study.patient_age_years < 18 THEN 'under 18' WHEN study.patient_age_years < 40 THEN '18 to 39'
            WHEN study.patient_age_years < 60 THEN '40 to 59' WHEN study.patient_age_years < 80 THEN '60 to 79'
            WHEN study.patient_age_years >= 80 THEN '80 and over' END AS age_group,
       image.modality,
       image.view_position AS view,
       image.patient_position,
       (SELECT group_concat(finding, '|') FROM finding WHERE finding.image_id = image.image_id) AS findings
FROM score
JOIN image USING (image_id)
JOIN source USING (source_id)
JOIN study USING (study_id)
JOIN patient ON patient.patient_id = study.patient_id
WHERE score.run_id = :run_id
ORDER BY score.structure, score.image_id
