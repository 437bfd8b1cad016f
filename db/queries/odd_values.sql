-- Facts and measurements that cannot be, or hardly can: one row each, for somebody to look at. Parameters: :source.
-- A mask may cover 0.7 of its film, LARGEST_SHARE of data/ingest_counts.py. lent: 1 for what another
-- row of the same bytes states of the film (listed_by), which stands here once more for that row itself.
-- command: of the run that measured the value; NULL for what a source states.
-- Names that end in _difference_mm, _difference_px or are thorax_tilt_deg have a sign and may be negative.
WITH chosen AS (
    SELECT image.*, source.name AS source, study.patient_age_years, study.patient_id
    FROM image JOIN source USING (source_id) JOIN study USING (study_id)
    WHERE :source = 'all' OR instr(',' || :source || ',', ',' || source.name || ',') > 0
)
SELECT image_id, source, patient_id, file, 'age_years' AS fact, patient_age_years AS value,
       CASE WHEN patient_age_years < 0 THEN 'negative age' WHEN patient_age_years = 0 THEN 'age 0: an infant, or not stated'
            ELSE 'older than 110' END AS why, NULL AS command, 0 AS lent
FROM chosen WHERE patient_age_years <= 0 OR patient_age_years > 110
UNION ALL
SELECT image_id, source, patient_id, file, 'row_spacing_mm', row_spacing_mm, 'no pixel of a chest film has this size', NULL, 0
FROM chosen WHERE row_spacing_mm NOT BETWEEN 0.05 AND 3
UNION ALL
SELECT image_id, source, patient_id, file, 'column_spacing_mm', column_spacing_mm, 'no pixel of a chest film has this size', NULL, 0
FROM chosen WHERE column_spacing_mm NOT BETWEEN 0.05 AND 3
UNION ALL
SELECT image_id, source, patient_id, file, 'spacing_ratio', round(column_spacing_mm / row_spacing_mm, 3),
       'pixels twice as long as wide, or more', NULL, 0
FROM chosen WHERE column_spacing_mm / row_spacing_mm NOT BETWEEN 0.5 AND 2
UNION ALL
SELECT image_id, source, patient_id, file, 'pixels', min(rows, columns), 'fewer than 64 pixels a side', NULL, 0
FROM chosen WHERE min(rows, columns) < 64
UNION ALL
SELECT image_id, source, patient_id, file, 'aspect', round(1.0 * columns / rows, 3), 'twice as long as wide, or more', NULL, 0
FROM chosen WHERE max(rows, columns) > 2 * min(rows, columns)
UNION ALL
SELECT chosen.image_id, chosen.source, chosen.patient_id, chosen.file, 'mask of ' || mask.structure, round(mask.area_share, 3),
       'covers most of the film: are inside and outside exchanged?', NULL, 0
FROM mask JOIN chosen USING (image_id) WHERE mask.area_share > 0.7 AND mask.listed_by IS NULL
UNION ALL
SELECT chosen.image_id, chosen.source, chosen.patient_id, chosen.file, measurement.name, measurement.value,
       CASE WHEN measurement.value < 0 THEN 'negative ' || measurement.unit ELSE 'beyond what its unit allows' END, run.command,
       measurement.listed_by IS NOT NULL
FROM measurement JOIN chosen USING (image_id) LEFT JOIN run USING (run_id)
WHERE (measurement.unit IN ('mm', 'px', 'mm2', 'px2', 'ratio', '%') AND measurement.value < 0
       AND measurement.name NOT LIKE '%_difference_%')
    OR (measurement.name LIKE 'cardiothoracic_ratio%' AND measurement.value > 1)
    OR (measurement.unit = '%' AND measurement.value > 100)
    OR (measurement.unit = 'deg' AND abs(measurement.value) > 360)
ORDER BY fact, image_id
