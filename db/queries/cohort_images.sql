-- One row per image, films listed again left out: who, how, and what was found. Parameters: :source, :split_set.
SELECT image.image_id,
       source.name AS source,
       study.patient_id,
       image.study_id,
       film_person.sex,
       film_person.age_years,
       film_person.age_group,
       study.study_date,
       study.offset_days,
       image.modality,
       image.view_position AS view,
       image.patient_position,
       image.body_part_examined AS body_part,
       image.photometric_interpretation AS photometric,
       image.rows,
       image.columns,
       image.row_spacing_mm,
       image.column_spacing_mm,
       image.spacing_origin,
       split.split,
       (SELECT group_concat(finding, '|') FROM finding WHERE finding.image_id = image.image_id) AS findings,
       (SELECT count(*) FROM mask WHERE mask.image_id = image.image_id) AS masks
FROM image
JOIN source USING (source_id)
JOIN study USING (study_id)
JOIN film_person USING (image_id)
LEFT JOIN split ON split.patient_id = study.patient_id AND split.split_set = :split_set
WHERE image.duplicate_of IS NULL
  AND (:source = 'all' OR instr(',' || :source || ',', ',' || source.name || ',') > 0)
ORDER BY source.name, study.patient_id, study.offset_days IS NULL, study.offset_days,
         study.study_date IS NULL, study.study_date, image.image_id
