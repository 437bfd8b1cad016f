-- What ingest would not take, counted by reason. Parameters: :source.
SELECT source.name AS source, refusal.what, refusal.reason, count(*) AS count
FROM refusal
JOIN source USING (source_id)
WHERE :source = 'all' OR instr(',' || :source || ',', ',' || source.name || ',') > 0
GROUP BY source.name, refusal.what, refusal.reason
ORDER BY source.name, count DESC
