-- An example of choosing films by who is on them and what was measured: frontal films of adults of 40 years and more whose
-- cardiothoracic ratio, as the source states it, is above 0.5. Ages and ratios that cannot be count as not stated.
-- Parameters: :convention, :provenance and :source as in segmentation_images.sql.
SELECT image.image_id, mask.mask_id
FROM image
JOIN source USING (source_id)
JOIN film_person USING (image_id)
JOIN mask USING (image_id)
JOIN measurement ON measurement.image_id = image.image_id
                AND measurement.name = 'cardiothoracic_ratio'
                AND measurement.run_id IS NULL      -- stated by the source, not measured by a network
WHERE film_person.age_years >= 40
  AND measurement.value > 0.5 AND measurement.value <= 1
  AND image.duplicate_of IS NULL
  AND image.modality IN ('CR', 'DX')
  AND image.view_position IN ('PA', 'AP')
  AND coalesce(image.body_part_examined, 'CHEST') = 'CHEST'
  AND mask.convention = :convention
  AND instr(',' || :provenance || ',', ',' || mask.provenance || ',') > 0
  AND (:source = 'all' OR instr(',' || :source || ',', ',' || source.name || ',') > 0)
