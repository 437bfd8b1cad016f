-- Which measurements there are, who took them, on how many films. Parameters: :source.
SELECT measurement.name,
       measurement.unit,
       measurement.run_id,
       CASE WHEN run.run_id IS NULL THEN 'source'
            WHEN run.command IN ('measure', 'analyze') THEN 'stored masks, run ' || run.run_id
            ELSE 'network, run ' || run.run_id END AS measured_by,
       run.command IN ('measure', 'analyze') AS of_stored_masks,
       count(*) AS films
FROM measurement
JOIN image USING (image_id)
JOIN source USING (source_id)
LEFT JOIN run USING (run_id)
WHERE image.duplicate_of IS NULL
  AND (:source = 'all' OR instr(',' || :source || ',', ',' || source.name || ',') > 0)
GROUP BY measurement.name, measurement.unit, measurement.run_id
ORDER BY measurement.name, measurement.run_id
