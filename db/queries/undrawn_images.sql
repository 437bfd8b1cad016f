-- Frontal chest radiographs that nobody has drawn: for predictions without truth. Parameters as in segmentation_images.sql.
SELECT image.image_id, NULL AS mask_id
FROM image
JOIN source USING (source_id)
WHERE image.duplicate_of IS NULL
  AND image.modality IN ('CR', 'DX')
  AND image.view_position IN ('PA', 'AP')
  AND (image.body_part_examined IS NULL OR image.body_part_examined = 'CHEST')
  AND NOT EXISTS (
      SELECT 1 FROM mask
      WHERE mask.image_id = image.image_id
        AND mask.convention = :convention
        AND instr(',' || :provenance || ',', ',' || mask.provenance || ',') > 0)
  AND (:source = 'all' OR instr(',' || :source || ',', ',' || source.name || ',') > 0)
ORDER BY source.name, image.file
