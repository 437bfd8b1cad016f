-- An example of choosing films by who is on them and what was measured: frontal films of adults of 40 years and more whose
-- cardiothoracic ratio, as the source states it, is above 0.5. Parameter: :convention as in segmentation_images.sql.
SELECT image.image_id, mask.mask_id
FROM image
JOIN study USING (study_id)
JOIN mask ON mask.image_id = image.image_id AND mask.convention = :convention
JOIN measurement ON measurement.image_id = image.image_id
                AND measurement.name = 'cardiothoracic_ratio'
                AND measurement.run_id IS NULL      -- stated by the source, not measured by a network
WHERE study.patient_age_years >= 40
  AND measurement.value > 0.5
  AND image.duplicate_of IS NULL
  AND image.modality IN ('CR', 'DX')
  AND image.view_position IN ('PA', 'AP')
  AND coalesce(image.body_part_examined, 'CHEST') = 'CHEST'
