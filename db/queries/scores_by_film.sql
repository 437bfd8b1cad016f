-- The Dice of every film and structure of one evaluation, and the split its network had the film in; who is on it is in
-- cohort_images.sql. Parameters: :run_id.
SELECT structure, dice, empty, image_id, split
FROM score
WHERE run_id = :run_id
ORDER BY structure, image_id
