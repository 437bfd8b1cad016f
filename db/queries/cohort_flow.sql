-- How many rows each condition of segmentation_images.sql removes, in the order a reader would ask.
-- Every row is counted once, at the first condition it fails. Same parameters as segmentation_images.sql.
WITH step (number, label) AS (
    VALUES (1, 'refused at ingest'),
           (2, 'same film listed again'),
           (3, 'CT, MR or another modality'),
           (4, 'modality not stated'),
           (5, 'lateral or another view'),
           (6, 'view not stated'),
           (7, 'another body part'),
           (8, 'no mask of this convention and provenance')
),
judged (number) AS (
    SELECT CASE
        WHEN image.duplicate_of IS NOT NULL THEN 2
        WHEN image.modality NOT IN ('CR', 'DX') THEN 3
        WHEN image.modality IS NULL THEN 4
        WHEN image.view_position NOT IN ('PA', 'AP') THEN 5
        WHEN image.view_position IS NULL THEN 6
        WHEN image.body_part_examined <> 'CHEST' THEN 7
        WHEN NOT EXISTS (
            SELECT 1 FROM mask
            WHERE mask.image_id = image.image_id AND mask.convention = :convention
              AND instr(',' || :provenance || ',', ',' || mask.provenance || ',') > 0) THEN 8
        END
    FROM image JOIN source USING (source_id)
    WHERE :source = 'all' OR instr(',' || :source || ',', ',' || source.name || ',') > 0
    UNION ALL
    SELECT 1 FROM refusal JOIN source USING (source_id)
    WHERE refusal.what = 'image'
      AND (:source = 'all' OR instr(',' || :source || ',', ',' || source.name || ',') > 0)
)
SELECT step.number,
       step.label,
       (SELECT count(*) FROM judged WHERE judged.number = step.number) AS removed,
       (SELECT count(*) FROM judged WHERE judged.number IS NULL OR judged.number > step.number) AS remaining
FROM step
ORDER BY step.number
