-- The Dice of one evaluation by sex, age, view, source and finding. Parameters: :run_id.
-- dices, patients_of: JSON arrays in one order, one element per film, from which intervals over patients are drawn.
SELECT film_group.grouping,
       film_group.level,
       score.structure,
       count(*) AS films,
       count(DISTINCT study.patient_id) AS patients,
       avg(score.dice) AS mean,
       min(score.dice) AS worst,
       avg(score.dice < 0.9) AS below,
       sum(score.empty <> 'none') AS empty,
       json_group_array(score.dice) AS dices,
       json_group_array(study.patient_id) AS patients_of,
       json_group_array(score.image_id) AS images
FROM score
JOIN film_group USING (image_id)
JOIN image USING (image_id)
JOIN study USING (study_id)
WHERE score.run_id = :run_id
GROUP BY film_group.grouping, film_group.level, score.structure
ORDER BY film_group.grouping, score.structure, film_group.level
