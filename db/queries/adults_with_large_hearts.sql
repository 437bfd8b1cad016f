-- An example of choosing films by who is on them and what was measured: adults of 40 years and more whose cardiothoracic ratio,
-- as the source states it, is above 0.5. Otherwise as segmentation_images.sql, whose parameters it takes.
SELECT image.image_id, mask.mask_id
FROM image
JOIN source USING (source_id)
JOIN study USING (study_id)
JOIN mask USING (image_id)
JOIN measurement ON measurement.image_id = image.image_id
                AND measurement.name = 'cardiothoracic_ratio'
                AND measurement.run_id IS NULL      -- stated by the source, not measured by a network
WHERE image.duplicate_of IS NULL
  AND study.patient_age_years >= 40
  AND measurement.value > 0.5
  AND image.modality IN ('CR', 'DX')
  AND image.view_position IN ('PA', 'AP')
  AND (image.body_part_examined IS NULL OR image.body_part_examined = 'CHEST')
  AND mask.convention = :convention
  AND instr(',' || :provenance || ',', ',' || mask.provenance || ',') > 0
  AND (:source = 'all' OR instr(',' || :source || ',', ',' || source.name || ',') > 0)
ORDER BY source.name, image.file, mask.structure
