-- Every image once, with or without a mask, films listed again left out. Parameters: :source.
SELECT image.image_id, NULL AS mask_id
FROM image JOIN source USING (source_id)
WHERE image.duplicate_of IS NULL
  AND (:source = 'all' OR instr(',' || :source || ',', ',' || source.name || ',') > 0)
ORDER BY source.name, image.file
