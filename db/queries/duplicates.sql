-- Films whose bytes are the same as another's, with the film they repeat. Parameters: :source.
-- same_file: a further row of one file, as in a table with a row for each mask.
SELECT image.image_id,
       first.image_id AS first_image_id,
       source.name AS source,
       study.patient_id,
       image.file,
       study.patient_id = first_study.patient_id AS same_person,
       image.duplicate_of IS NOT NULL AS left_out,
       first.source_id = image.source_id AND first.file = image.file AS same_file
FROM image
JOIN source USING (source_id)
JOIN study USING (study_id)
JOIN image AS first ON first.content_sha256 = image.content_sha256
    AND first.image_id = (SELECT min(other.image_id) FROM image AS other WHERE other.content_sha256 = image.content_sha256)
JOIN study AS first_study ON first_study.study_id = first.study_id
WHERE image.image_id <> first.image_id
  AND (:source = 'all' OR instr(',' || :source || ',', ',' || source.name || ',') > 0)
ORDER BY first.image_id, image.image_id
