-- The films that training and evaluation use: frontal chest radiographs with a mask of one convention.
-- One row per film and mask; a query of your own (--query FILE.sql) needs the same two columns and no film that is listed again.
-- Parameters: :convention one of clear_field, includes_heart, projection
--             :provenance comma-separated, of manual, landmark, phantom, model
--             :source     comma-separated names of sources, or 'all'
SELECT image.image_id, mask.mask_id
FROM image
JOIN source USING (source_id)
JOIN mask USING (image_id)
WHERE image.duplicate_of IS NULL
  AND image.modality IN ('CR', 'DX')
  AND image.view_position IN ('PA', 'AP')
  AND (image.body_part_examined IS NULL OR image.body_part_examined = 'CHEST')
  AND mask.convention = :convention
  AND instr(',' || :provenance || ',', ',' || mask.provenance || ',') > 0
  AND (:source = 'all' OR instr(',' || :source || ',', ',' || source.name || ',') > 0)
ORDER BY source.name, image.file, mask.structure
